"""Services and EndpointSlices to the servers behind a name, and who may reach which address."""
