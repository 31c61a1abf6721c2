"""CloudFormation: templates resolved, resources made in order, all undone when one fails."""
