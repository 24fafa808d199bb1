"""The automerge-repo client."""
