"""CloudWatch's documented way from data points to alarm states, over a minute's grid.

Sources, by page of the user guide at https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/:
alarm-evaluation.html (sliding windows, M of N, alarms over more than a day), alarms-and-missing-data.html (evaluation
range, premature transitions), percentiles-with-low-samples.html, Statistics-definitions.html, using-metric-math.html,
Create_Composite_Alarm.html and Create_Composite_Alarm_Suppression.html.
"""
