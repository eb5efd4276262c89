"""The gateway: the one door. Access, the proxy to the services, the customer view, the documents."""
