"""The handlers of `/entities`: each reads a request, calls the application, and shows what comes of it."""
