"""The message behind an alarm: what CloudWatch's own one says, and what an engineer has to look up besides.

It is a second action of each alarm. CloudWatch's own message goes to its subscribers without any of this.
"""
