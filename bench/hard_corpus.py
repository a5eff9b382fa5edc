"""A corpus on which no memo helps: process creations of an office and its servers, every command line another.

Ordinary programs with ordinary parents; what makes each line new is what does so in life: identifiers, paths of
projects, temporary files, handles. Every hundredth is what an intruder would start.
"""

import random
from collections.abc import Iterator
from typing import Final

import msgspec

SYSTEM: Final = "C:\\Windows\\System32"
X86: Final = "C:\\Program Files (x86)"
FILES: Final = "C:\\Program Files"

# (parent, image, arguments); the words in braces are drawn anew for each event.
_ORDINARY: Final = (
    (f"{SYSTEM}\\services.exe", f"{SYSTEM}\\svchost.exe", "-k netsvcs -p -s Schedule{hex}"),
    (f"{SYSTEM}\\services.exe", f"{SYSTEM}\\svchost.exe", "-k LocalServiceNetworkRestricted -p -s {word}{hex}"),
    (f"{SYSTEM}\\svchost.exe", f"{SYSTEM}\\RuntimeBroker.exe", "-Embedding {hex}"),
    (f"{SYSTEM}\\svchost.exe", f"{SYSTEM}\\backgroundTaskHost.exe", "-ServerName:App.AppX{hex}{hex}.mca"),
    (f"{SYSTEM}\\svchost.exe", f"{SYSTEM}\\taskhostw.exe", "Install $(Arg0) {hex}"),
    (f"{SYSTEM}\\svchost.exe", f"{SYSTEM}\\dllhost.exe", "/Processid:{{{hex}-{number}-{number}-{number}-{hex}}}"),
    (f"{SYSTEM}\\svchost.exe", f"{SYSTEM}\\MoUsoCoreWorker.exe", "-Embedding {number}"),
    (f"{SYSTEM}\\services.exe", f"{SYSTEM}\\SearchIndexer.exe", "/Embedding {hex}"),
    (
        f"{SYSTEM}\\SearchIndexer.exe",
        f"{SYSTEM}\\SearchProtocolHost.exe",
        'Global\\UsGthrFltPipeMssGthrPipe{number}_ Global\\UsGthrCtrlFltPipeMssGthrPipe{number} 1 -{number} "Software"',
    ),
    (
        f"{FILES}\\Google\\Chrome\\Application\\chrome.exe",
        f"{FILES}\\Google\\Chrome\\Application\\chrome.exe",
        "--type=renderer --lang=ja --renderer-client-id={number} --field-trial-handle={number},i,{hex}",
    ),
    (
        f"{FILES}\\Google\\Chrome\\Application\\chrome.exe",
        f"{FILES}\\Google\\Chrome\\Application\\chrome.exe",
        "--type=utility --utility-sub-type=NetworkService --field-trial-handle={number},i,{number} /p{hex}",
    ),
    (
        f"{X86}\\Microsoft\\Edge\\Application\\msedge.exe",
        f"{X86}\\Microsoft\\Edge\\Application\\msedge.exe",
        "--type=gpu-process --gpu-preferences={hex}{hex}{hex} --field-trial-handle={number},i,{number} /prefetch:2",
    ),
    (
        "C:\\Windows\\explorer.exe",
        f"{FILES}\\Microsoft Office\\root\\Office16\\EXCEL.EXE",
        '"D:\\shares\\{word}\\{word}\\budget {number} {hex}.xlsx"',
    ),
    (
        "C:\\Windows\\explorer.exe",
        f"{FILES}\\Microsoft Office\\root\\Office16\\WINWORD.EXE",
        '/n "C:\\Users\\{user}\\Documents\\{word}\\minutes {number}-{hex}.docx" /o ""',
    ),
    ("C:\\Windows\\explorer.exe", f"{SYSTEM}\\notepad.exe", '"C:\\Users\\{user}\\Desktop\\{word}_{hex}.txt"'),
    (
        "C:\\Windows\\explorer.exe",
        f"{FILES}\\Adobe\\Acrobat DC\\Acrobat\\Acrobat.exe",
        '"C:\\Users\\{user}\\Downloads\\{word}-{number}-{hex}.pdf"',
    ),
    (
        f"{FILES}\\nodejs\\node.exe",
        f"{FILES}\\nodejs\\node.exe",
        "D:\\work\\{word}\\node_modules\\jest\\build\\workers\\processChild.js --id={number} --seed={hex}",
    ),
    (
        f"{FILES}\\Git\\cmd\\git.exe",
        f"{FILES}\\Git\\mingw64\\bin\\git.exe",
        "-c core.quotepath=false rev-list --count {hex}{hex}..{hex}{hex} --not --remotes={word}",
    ),
    (
        f"{FILES}\\JetBrains\\bin\\idea64.exe",
        f"{FILES}\\Java\\jdk-21\\bin\\java.exe",
        "-Xmx700m -Dfile.encoding=UTF-8 -Didea.build={hex} -cp D:\\work\\{word}\\{hex}.jar org.build.Main {number}",
    ),
    (
        f"{FILES}\\Microsoft Visual Studio\\MSBuild\\Current\\Bin\\MSBuild.exe",
        f"{FILES}\\Microsoft Visual Studio\\VC\\bin\\cl.exe",
        "/c /ID:\\work\\{word}\\include /nologo /W4 /O2 /FoD:\\work\\{word}\\{hex}.obj D:\\work\\{word}\\{hex}.cpp",
    ),
    (
        f"{SYSTEM}\\services.exe",
        f"{FILES}\\Backup\\agent.exe",
        "run --job {hex} --volume D: --snapshot {hex}-{number} --log D:\\logs\\backup\\{number}.log",
    ),
    (
        f"{FILES}\\Backup\\agent.exe",
        f"{FILES}\\Backup\\mover.exe",
        "--session {hex}{hex} --source D:\\shares\\{word} --target backup{number}.corp.example --block {number}",
    ),
    (
        f"{SYSTEM}\\services.exe",
        f"{FILES}\\Microsoft SQL Server\\MSSQL16\\MSSQL\\Binn\\sqlservr.exe",
        "-sSQL{number} -e{hex}",
    ),
    (f"{SYSTEM}\\services.exe", f"{SYSTEM}\\msiexec.exe", "/V {hex}"),
    (f"{SYSTEM}\\services.exe", f"{SYSTEM}\\spoolsv.exe", "{hex}"),
    (f"{SYSTEM}\\svchost.exe", f"{SYSTEM}\\wbem\\WmiPrvSE.exe", "-secured -Embedding {hex}"),
    (f"{SYSTEM}\\winlogon.exe", f"{SYSTEM}\\LogonUI.exe", "/flags:0x{number} /state0:0x{hex} /state1:0x{hex}"),
    (f"{SYSTEM}\\csrss.exe", f"{SYSTEM}\\conhost.exe", "0xffffffff -ForceV1 {hex}"),
)
_INTRUDER: Final = (
    (f"{SYSTEM}\\cmd.exe", f"{SYSTEM}\\whoami.exe", "/all & rem {hex}"),
    (
        f"{SYSTEM}\\cmd.exe",
        f"{SYSTEM}\\rundll32.exe",
        f"{SYSTEM}\\comsvcs.dll, MiniDump {{number}} C:\\{{hex}}.dmp full",
    ),
    (f"{FILES}\\Microsoft Office\\root\\Office16\\WINWORD.EXE", f"{SYSTEM}\\cmd.exe", "/c echo {hex} > C:\\{hex}.bat"),
)
_WORDS: Final = ("sales", "plant", "hr", "tender", "grid", "audit", "ledger", "survey", "turbine", "harbour", "relay")
_INTRUDER_RATIO: Final = 0.01


def lines(n_events: int, seed: int = 1) -> Iterator[bytes]:
    """NXLog-like lines of Sysmon 1, about 2 kB each, the same for the same seed."""
    draw = random.Random(seed)
    for number in range(n_events):
        yield msgspec.json.encode(_record(draw, number))


def _record(draw: random.Random, number: int) -> dict[str, object]:
    parent, image, arguments = draw.choice(_INTRUDER if draw.random() < _INTRUDER_RATIO else _ORDINARY)
    user = f"user{draw.randint(1, 500)}"
    name = image.rpartition("\\")[2]
    fields = {
        "RuleName": "-",
        "UtcTime": f"2026-01-02 03:{number // 60 % 60:02d}:{number % 60:02d}.{draw.randint(0, 999):03d}",
        "ProcessGuid": f"{{{draw.getrandbits(128):032X}}}",
        "ProcessId": str(draw.randint(4, 65_000)),
        "Image": image,
        "FileVersion": f"10.0.{draw.randint(17_000, 27_000)}.{draw.randint(1, 4_000)}",
        "Description": name.removesuffix(".exe"),
        "Product": "Microsoft® Windows® Operating System",
        "Company": "Microsoft Corporation",
        "OriginalFileName": name,
        "CommandLine": f'"{image}" {_filled(draw, arguments, user)}',
        "CurrentDirectory": f"C:\\Users\\{user}\\",
        "User": f"CORP\\{user}",
        "LogonGuid": f"{{{draw.getrandbits(128):032X}}}",
        "LogonId": hex(draw.getrandbits(24)),
        "IntegrityLevel": "Medium",
        "Hashes": f"SHA1={draw.getrandbits(160):040X},MD5={draw.getrandbits(128):032X},"
        f"SHA256={draw.getrandbits(256):064X},IMPHASH={draw.getrandbits(128):032X}",
        "ParentProcessGuid": f"{{{draw.getrandbits(128):032X}}}",
        "ParentProcessId": str(draw.randint(4, 65_000)),
        "ParentImage": parent,
        "ParentCommandLine": f'"{parent}" -session {draw.getrandbits(64):x}',
        "ParentUser": f"CORP\\{user}",
    }
    message = "Process Create:\r\n" + "\r\n".join(f"{key}: {value}" for key, value in fields.items())
    head = {
        "EventTime": fields["UtcTime"],
        "Hostname": f"PC{draw.randint(1, 200)}.corp.example",
        "Keywords": -9223372036854775808,
        "EventType": "INFO",
        "SeverityValue": 2,
        "EventID": 1,
        "SourceName": "Microsoft-Windows-Sysmon",
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "RecordNumber": number,
        "Message": message,
    }
    return head | fields


def _filled(draw: random.Random, arguments: str, user: str) -> str:
    """The words in braces, each drawn where it stands."""
    parts = arguments.replace("{{", "\0").replace("}}", "\1").split("{")
    filled = [parts[0]]
    for part in parts[1:]:
        word, _, rest = part.partition("}")
        filled.append(_drawn(draw, word, user) + rest)
    return "".join(filled).replace("\0", "{").replace("\1", "}")


def _drawn(draw: random.Random, word: str, user: str) -> str:
    if word == "hex":
        return f"{draw.getrandbits(48):x}"
    if word == "number":
        return str(draw.randint(1, 99_999))
    return user if word == "user" else draw.choice(_WORDS)
