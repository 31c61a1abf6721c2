"""An AWS for one rehearsal, in a process of its own on 127.0.0.1.

moto keeps the services' data. CloudFormation and CodeDeploy are our own, because moto's ignore most of what a
deployment is made of and report success all the same: here an unknown resource type, property or intrinsic function
fails the deployment. Functions run from the bytes that were uploaded.
"""
