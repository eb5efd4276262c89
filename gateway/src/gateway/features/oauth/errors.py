"""What the token endpoint answers when it gives no token (RFC 6749 §5.2): a form that OAuth clients know."""

from typing import Final

from starlette.responses import JSONResponse

NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="relata", charset="UTF-8"'}


class TokenRefusal(Exception):
    """`error` is one of the words of RFC 6749 §5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status

    def response(self) -> JSONResponse:
        headers = NO_STORE | (_CHALLENGE if self.status == 401 else {})
        return JSONResponse({"error": self.error, "error_description": self.description}, self.status, headers)


def invalid_client() -> TokenRefusal:
    """The same for a client that is unknown and for a wrong secret."""
    return TokenRefusal("invalid_client", "client_id must be an API key's id, client_secret that API key", 401)
