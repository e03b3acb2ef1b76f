"""The product: rooms of the operator, the agent and the command line; imports between them go down only."""
