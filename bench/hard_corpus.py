"""A corpus on which no memo helps: process creations whose command lines are all different."""

import random
from collections.abc import Iterator

import msgspec

_PROGRAMS = ("svchost.exe", "chrome.exe", "msiexec.exe", "notepad.exe", "outlook.exe", "backup.exe", "sqlservr.exe")
_WORDS = (
    "--type=renderer", "/quiet", "-p", "-s", "open", "http://host/file", "C:\\Data\\report.txt", "--lang=en", "print",
    "D:\\share\\list.csv", "/norestart", "--no-sandbox", "-Embedding", "sync", "--field-trial", "update", "-k",
)  # fmt: skip


def lines(n_events: int, seed: int = 1) -> Iterator[bytes]:
    """NXLog-like lines of Sysmon 1, about 1.5 kB each, the same for the same seed."""
    draw = random.Random(seed)
    for number in range(n_events):
        program, parent = draw.choice(_PROGRAMS), draw.choice(_PROGRAMS)
        words = " ".join(draw.choices(_WORDS, k=draw.randint(3, 12)))
        command = f'"C:\\Windows\\System32\\{program}" {words} {draw.getrandbits(96):x}'
        fields = {
            "Image": f"C:\\Windows\\System32\\{program}",
            "CommandLine": command,
            "ParentImage": f"C:\\Windows\\System32\\{parent}",
            "ParentCommandLine": f"{parent} {draw.getrandbits(64):x}",
            "OriginalFileName": program,
            "User": f"CORP\\user{draw.randint(1, 500)}",
            "IntegrityLevel": "Medium",
            "CurrentDirectory": f"C:\\Users\\user{draw.randint(1, 500)}\\",
            "Hashes": f"SHA1={draw.getrandbits(160):040X},MD5={draw.getrandbits(128):032X}",
            "ProcessGuid": f"{{{draw.getrandbits(128):032x}}}",
            "ProcessId": str(draw.randint(4, 65_000)),
        }
        message = "Process Create:\r\n" + "\r\n".join(f"{name}: {value}" for name, value in fields.items())
        head = {
            "SourceName": "Microsoft-Windows-Sysmon",
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Hostname": f"PC{draw.randint(1, 200)}.corp.example",
            "TimeCreated": "2026-01-02T03:04:05.678Z",
            "EventID": 1,
            "RecordNumber": number,
            "Message": message,
        }
        yield msgspec.json.encode(head | fields)
