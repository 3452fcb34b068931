"""The portal's pages: one file per family, each turning a session's answers into typed results."""
