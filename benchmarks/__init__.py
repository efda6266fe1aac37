"""What is run: suites, the plan, the runner, the command line."""
