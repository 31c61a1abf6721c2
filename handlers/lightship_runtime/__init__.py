"""What ships to AWS Lambda: the contract, the engines that evaluate a model, and the handlers around them.

Importing this package costs a cold start nothing: it imports nothing.
"""
