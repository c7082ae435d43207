"""The ground floor: everything that knows no platform and no web framework."""
