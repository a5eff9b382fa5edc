"""What well-known programs say in a syslog message: user, address, outcome, command.

Fields: `user` (who acts or signs in), `target_user` (on whom), `src_ip` (or a host name, as logged), `src_port` (a
number), `outcome` (`success` or `failure`), `command`, `group`, `method`, `service` (of PAM), `n_repeated` (where
rsyslog folded equal lines); and of sudo its own `TTY`, `PWD`, `USER`, `COMMAND`, as public rules name them. Source:
the messages of OpenSSH (auth.c, auth2.c), Linux-PAM (pam_unix), sudo (logging.c), shadow-utils, Debian's cron and
systemd-logind.
"""

import re
from typing import Final

from amagasa.event.record import Value

# Longer messages are matched by keyword only: a sign-in message is short, and a bound keeps every search cheap.
MAX_MESSAGE_CHARACTERS: Final = 8_192

_FROM: Final = r"(?P<src_ip>[0-9A-Za-z_.:%-]{1,255})"
_PORT: Final = r"(?: port (?P<src_port>[0-9]{1,5}))?"
_USER: Final = r"(?:invalid user )?(?P<user>.*)"
_FAILURE: Final = "failure"
_SUCCESS: Final = "success"

# (outcome, expression). A user name is the attacker's: it is taken greedily, so the address is the last one, sshd's.
_SSHD: Final = (
    (_SUCCESS, rf"Accepted (?P<method>\S+) for {_USER} from {_FROM}{_PORT}"),
    (_FAILURE, rf"Failed (?P<method>\S+) for {_USER} from {_FROM}{_PORT}(?: ssh2)?(?: \[preauth\])?\Z"),
    (_FAILURE, rf"(?:Invalid|Illegal) user (?P<user>.*?) from {_FROM}{_PORT}\Z"),
    (_FAILURE, r"input_userauth_request: invalid user (?P<user>.*?)(?: \[preauth\])?\Z"),
    (_FAILURE, rf"(?:error: )?maximum authentication attempts exceeded for {_USER} from {_FROM}{_PORT}"),
    (_FAILURE, rf"User (?P<user>.*) from {_FROM} not allowed because"),
    (_FAILURE, rf"reverse mapping checking getaddrinfo for \S+ \[{_FROM}\] failed"),
    (_FAILURE, rf"Address {_FROM} maps to \S+ but this does not map back"),
    (
        _FAILURE,
        rf"(?:error: )?(?:Did not receive ident|Unable to negotiate).*? (?:from|with) {_FROM}{_PORT}",
    ),
    (
        "",
        (
            r"(?:Connection|Disconnect|Received disc).*? (?:from|by) (?:\S+ user (?P<user>.*) (?=\S+ port [0-9]))?"
            rf"{_FROM}{_PORT}(?:[: \[]|\Z)"
        ),
    ),
    (_FAILURE, rf".{{0,200}}? from {_FROM}{_PORT}(?:[: \[]|\Z)"),
)
_REFUSED: Final = (
    r"(?:PAM [0-9]{1,6} more )?authentication failures?;.*? rhost=(?P<src_ip>\S*)(?: +user=(?P<user>.*?))?\s*\Z"
)
_PAM: Final = (
    (_FAILURE, r"pam_\w+\((?P<service>[^:)]*):auth\): " + _REFUSED),
    (_FAILURE, _REFUSED),
    (
        "",
        (
            r"pam_\w+\((?P<service>[^:)]*):session\): session (?:opened|closed) for user (?P<target_user>[^ (]+)"
            r"(?:\(uid=[0-9]+\))?(?: by (?P<user>[^ (]+)?\(uid=[0-9]+\))?"
        ),
    ),
    (_SUCCESS, r"pam_\w+\((?P<service>[^:)]*):chauthtok\): password changed for (?P<target_user>\S+)"),
)
_SU: Final = (
    (_SUCCESS, r"Successful su for (?P<target_user>.+) by (?P<user>.+)\Z"),
    (_FAILURE, r"FAILED su for (?P<target_user>.+) by (?P<user>.+)\Z"),
    (_FAILURE, r"FAILED SU \(to (?P<target_user>[^)]+)\) (?P<user>\S+) on"),
    (_SUCCESS, r"\(to (?P<target_user>[^)]+)\) (?P<user>\S+) on"),
    (_SUCCESS, r"\+ \S+ (?P<user>[^:]+):(?P<target_user>\S+)"),
    (_FAILURE, r"- \S+ (?P<user>[^:]+):(?P<target_user>\S+)"),
)
_CRON: Final = (
    ("", r"\((?P<user>[^)]+)\) (?:CMD|CMDEND|RELOAD|REPLACE|BEGIN EDIT|END EDIT|LIST) \((?P<command>.*)\)\s*\Z"),
)
_ACCOUNTS: Final = (
    ("", r"new (?:user|account|account added): (?:name=|account=)(?P<target_user>[^,]+)"),
    ("", r"new group: name=(?P<group>[^,]+)"),
    ("", r"group added to \S+ name=(?P<group>[^,]+)"),
    ("", r"add '(?P<target_user>[^']+)' to (?:shadow )?group '(?P<group>[^']+)'"),
    ("", r"(?:change|lock|unlock|delete|set) user '(?P<target_user>[^']+)'"),
    ("", r"user (?P<target_user>\S+) added by (?P<user>\S+) to group (?P<group>\S+)"),
    ("", r"password for '(?P<target_user>[^']+)' changed by '(?P<user>[^']+)'"),
)
_LOGIND: Final = (("", r"New session \S+ of user (?P<user>.+?)\.\Z"), ("", r"Removed session"))
_FTP: Final = (
    (_FAILURE, rf".*FAIL LOGIN: Client \"{_FROM}\""),
    (_SUCCESS, rf".*OK LOGIN: Client \"{_FROM}\""),
    ("", rf".*Client \"{_FROM}\""),
)
_TABLE: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "sshd": _SSHD,
    "sshd-session": _SSHD,
    "su": _SU,
    "cron": _CRON,
    "crond": _CRON,
    "crontab": _CRON,
    "useradd": _ACCOUNTS,
    "usermod": _ACCOUNTS,
    "userdel": _ACCOUNTS,
    "groupadd": _ACCOUNTS,
    "gpasswd": _ACCOUNTS,
    "passwd": _ACCOUNTS,
    "systemd-logind": _LOGIND,
    "vsftpd": _FTP,
}


def _compiled(rules: tuple[tuple[str, str], ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((outcome, re.compile(source)) for outcome, source in rules)


_RULES: Final = {program: _compiled(rules) for program, rules in _TABLE.items()}
_PAM_RULES: Final = _compiled(_PAM)
_REPEATED: Final = re.compile(r"message repeated ([0-9]{1,9}) times: \[ ?(.*)\]", re.DOTALL)
_SUDO: Final = re.compile(r"\s*(?P<user>[^ ;]+) : (?:(?P<said>[^;=]*?) ; )?(?P<rest>\w+=.*)")
_SUDO_PAIR: Final = re.compile(r"(TTY|PWD|USER|GROUP|ENV)=(.*?)(?: ; |\Z)")
_SUDO_COMMAND: Final = re.compile(r"(?:\A| ; )COMMAND=(.*)\Z", re.DOTALL)


def message_fields(program: str, message: str) -> dict[str, Value]:
    """The fields that `message` of `program` (in lower case, without path) shows; {} where nothing is known of it."""
    if len(message) > MAX_MESSAGE_CHARACTERS:
        return {}
    if repeated := _REPEATED.fullmatch(message):
        return message_fields(program, repeated[2].removeprefix("message repeated")) | {"n_repeated": int(repeated[1])}
    if program == "sudo" and (found := _SUDO.match(message)):
        return _sudo(found)
    rules = _PAM_RULES if message.startswith(("pam_", "PAM ", "authentication failure;")) else _RULES.get(program, ())
    for outcome, expression in rules:
        if match := expression.match(message):
            return _shown(match, outcome)
    return {}


def _shown(match: re.Match[str], outcome: str) -> dict[str, Value]:
    fields: dict[str, Value] = {name: value for name, value in match.groupdict().items() if value}
    if "src_port" in fields:
        fields["src_port"] = int(fields["src_port"])
    if outcome:
        fields["outcome"] = outcome
    return fields


def _sudo(match: re.Match[str]) -> dict[str, Value]:
    rest = match["rest"]
    command = _SUDO_COMMAND.search(rest)
    pairs = rest[: command.start()] if command else rest
    fields: dict[str, Value] = {"user": match["user"], **dict(_SUDO_PAIR.findall(pairs))}
    if "USER" in fields:
        fields["target_user"] = fields["USER"]
    if command:
        fields["COMMAND"] = fields["command"] = command[1]
    # Between the name and the pairs sudo says why it refused; it says nothing where it obeyed.
    fields["outcome"] = _FAILURE if match["said"] else _SUCCESS
    return fields
