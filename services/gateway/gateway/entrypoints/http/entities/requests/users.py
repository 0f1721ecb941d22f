"""Bodies that create and change users."""

from run_engine.domain.drafts import NewUser

from gateway.application.identities import NewIds
from gateway.entrypoints.http.entities.requests.fields import Body, Name

NOBODY = "Anonymous User"
"""The name of a user who was given none."""


class CreateUser(Body):
    """The body of POST /users."""

    name: Name | None = NOBODY

    def draft(self, new_ids: NewIds) -> NewUser:
        """Return the user to be stored."""
        return NewUser(id=new_ids.user(), name=self.name)


class UpdateUser(Body):
    """The body of PUT /users/{user_id}. Without a name nothing changes."""

    name: Name | None = None
