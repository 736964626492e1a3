"""The page: `vidcolor demo` for people, named addresses for programmes, and its sample films; nothing imports it."""
