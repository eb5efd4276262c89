"""What a migration must not do, since processes of the release before serve over the same database: told of each."""
