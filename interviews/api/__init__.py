"""The API of guides and interviews, under /api/v1/."""
