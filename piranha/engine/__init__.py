"""Where the rooms meet: the balancer, the configuration keeper, the API, start and stop."""
