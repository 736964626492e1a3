"""The demonstration page and its sample films; nothing imports it."""
