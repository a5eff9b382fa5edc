"""What a list may name and still says nothing: addresses that mean another machine in every house, and shared names.

A pattern somebody wrote may name them, because its author says in which house it holds; a list says nothing.
"""

import ipaddress
from bisect import bisect_right
from typing import Final

# RFC 1122 3.2.1.3, RFC 1918, RFC 6598, RFC 3927, RFC 6890, RFC 5771, RFC 1112 4; RFC 4291, RFC 4193.
# The ranges kept for documentation (RFC 5737, RFC 3849) are not among them: rehearsals and tests look for those.
NEVER: Final = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/127",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
)
_RANGES: Final = {
    version: sorted(
        (int(network.network_address), int(network.broadcast_address))
        for network in map(ipaddress.ip_network, NEVER)
        if network.version == version
    )
    for version in (4, 6)
}
_FIRSTS: Final = {version: [first for first, _ in ranges] for version, ranges in _RANGES.items()}

# Names under which everybody may have a name of his own: for a list's entry of one of these, those below mean nothing.
# Ours, of 2026-11; the second-level registries first, then hosts and dynamic DNS.
_REGISTRY_NAMES: Final = "ac co com edu go gov gob gouv mil ne net nom or org"
_SHARED_NAMES: Final = """
    000webhostapp.com 16mb.com akamaihd.net altervista.org amazonaws.com appspot.com azureedge.net azurefd.net
    azurewebsites.net b-cdn.net backblazeb2.com biz.id blob.core.windows.net blogspot.com bolt.host canva.site carrd.co
    cloudapp.azure.com cloudapp.net cloudfront.net codesandbox.io cprapid.com ddns.net de.com discord.com discordapp.com
    docs.google.com drive.google.com dropbox.com dropboxusercontent.com duckdns.org dweb.link dyndns.org dynu.net
    edgekey.net edgeone.app edgeone.dev edgesuite.net eu.cc eu.com fastly.net filesusr.com firebaseapp.com fleek.co
    framer.ai framer.app framer.media framer.website freemyip.com gb.net ghost.io gist.github.com gitbook.io github.com
    github.io githubusercontent.com gitlab.com gitlab.io glitch.me godaddysites.com googleusercontent.com herokuapp.com
    hopto.org hostingerapp.com iceiy.com infinityfreeapp.com ipfs.io it.com jpn.com loca.lt lovable.app mediafire.com
    mega.nz my.id mybluehost.me myftp.biz myftp.org myshopify.com mystrikingly.com neocities.org netlify.app
    ngrok-free.app ngrok.app ngrok.io nip.io no-ip.biz no-ip.org notion.site onrender.com pages.dev pantheonsite.io
    pastebin.com plesk.page r2.dev railway.app rebrandly.com repl.co replit.app replit.dev rf.gd ru.com s3.amazonaws.com
    sa.com serveftp.com servehttp.com serveo.net sharepoint.com sites.google.com square.site sslip.io
    storage.googleapis.com strikingly.com surge.sh sytes.net t.me telegra.ph transfer.sh trycloudflare.com tumblr.com
    typedream.app ucoz.net uk.com us.cc us.com vercel.app w3spaces.com wasmer.app web.app web.id webcindario.com
    webflow.io weebly.com weeblysite.com wixsite.com wixstudio.com wordpress.com workers.dev xip.io yolasite.com za.com
    zapto.org zeabur.app
"""
_REGISTRIES: Final = frozenset(_REGISTRY_NAMES.split())
SHARED: Final = frozenset(_SHARED_NAMES.split())


def is_never(address: str) -> bool:
    """Whether this address or prefix lies whole within one of the ranges."""
    try:
        network = ipaddress.ip_network(address, strict=False)
    except ValueError:
        return False
    at = bisect_right(_FIRSTS[network.version], int(network.network_address)) - 1
    return at >= 0 and int(network.broadcast_address) <= _RANGES[network.version][at][1]


def is_shared(domain: str) -> bool:
    """Whether strangers have their names below this one: a registry's (`co.uk`) or a host's (`github.io`)."""
    if domain in SHARED:
        return True
    first, dot, country = domain.partition(".")
    return bool(dot) and len(country) == 2 and first in _REGISTRIES
