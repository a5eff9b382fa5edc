"""Password hashes: argon2id (RFC 9106), with the second recommended set of parameters."""

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerificationError


class Argon2Passwords:
    """`app.ports.Passwords`. 64 MiB, 3 passes, 4 lanes: slow on purpose, never on the event loop."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=3, memory_cost=65_536, parallelism=4, hash_len=32, salt_len=16, type=Type.ID
        )

    def hash(self, password: str) -> str:
        """The PHC string to keep: a fresh salt each time."""
        return self._hasher.hash(_bytes(password))

    def verify(self, secret: str, password: str) -> bool:
        """Whether `password` made `secret`; False for a `secret` that is no hash, after the same work."""
        try:
            return self._hasher.verify(secret, _bytes(password))
        except VerificationError:
            return False
        except ValueError:  # no hash, or no ASCII
            self._hasher.hash(_bytes(password))
            return False


def _bytes(password: str) -> bytes:
    # Half a surrogate pair can be typed into a form field; it is as good a password as any.
    return password.encode("utf-8", "surrogatepass")
