"""REST, by transcoding: the same servicers behind the same interceptors as by gRPC.

HTTP requests become the messages of `proto/` by their `google.api.http` rules. There is no second model and no second
validation.
"""
