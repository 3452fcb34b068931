"""The OpenAPI 3.1 document, made from the contract's descriptors and comments by `make openapi`.

The service itself only serves what was made.
"""
