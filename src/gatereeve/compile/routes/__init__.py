"""Ingresses, HTTPRoutes and Gateways to route requests per listener set and host."""
