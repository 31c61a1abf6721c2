"""The data plane of deployed APIs: routes, authorisation and throttling as configured, functions as deployed."""
