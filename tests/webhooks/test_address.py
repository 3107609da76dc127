"""Which URLs and addresses a webhook may have."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gql.security.address import AddressRules, is_public, literal

PUBLIC = AddressRules((range(80, 81), range(443, 444), range(8_000, 9_001)))
LOCAL = AddressRules(PUBLIC.ports, loopback=True)

NOT_PUBLIC = "The host has an address that is not public"
MALFORMED = "The URL must have the form https://host/path, in ASCII, without a user and a fragment"
NO_TLS = "The URL must begin with https://"

SPECIAL = [
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1"),  # noqa: S104
    *("192.0.0.8", "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808"),
    *("64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1111%1", "fec0::1", "ff02::1"),
]


@pytest.mark.parametrize("address", SPECIAL)
def test_an_address_for_a_special_purpose_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
    assert PUBLIC.refuse_addresses([address]) == NOT_PUBLIC


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.15.0.1", "2606:4700::1111", "2a00:1450::1"])
def test_the_address_of_a_host_on_the_internet_is_public(address: str) -> None:
    assert PUBLIC.refuse_addresses([address]) is None


@pytest.mark.parametrize(
    ("written", "address"),
    [
        *(
            (form, "127.0.0.1")
            for form in ("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1")
        ),
        ("0", "0.0.0.0"),  # noqa: S104
        ("2852039166", "169.254.169.254"),
        ("0xa9.0xfe.0xa9.0xfe", "169.254.169.254"),
        ("134744072", "8.8.8.8"),
        ("::ffff:7f00:1", "::ffff:127.0.0.1"),
    ],
)
def test_an_address_in_another_notation_is_the_same_address(written: str, address: str) -> None:
    assert literal(written) == ip_address(address)


@pytest.mark.parametrize("host", ["example.com", "a1", "1.2.3.4.5", "08.0.0.1", "256.0.0.1", "127.0.0.1 x.example", ""])
def test_a_name_is_not_an_address(host: str) -> None:
    assert literal(host) is None


def test_one_address_that_is_not_public_refuses_the_host() -> None:
    assert PUBLIC.refuse_addresses(["8.8.8.8", "10.0.0.1"]) == NOT_PUBLIC
    assert PUBLIC.refuse_addresses(["10.0.0.1", "2606:4700::1111"]) == NOT_PUBLIC
    assert PUBLIC.refuse_addresses(["8.8.8.8", "not an address"]) == NOT_PUBLIC


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/",
        "https://EXAMPLE.com:8443/hooks?a=b@c&d=%20",
        "https://example.com:80/",
        "https://example.com:9000/",
        "https://example.com?x",
        "https://example.com./hook",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:443/",
        "https://xn--bcher-kva.example/a:b@c",
    ],
)
def test_a_url_is_accepted(url: str) -> None:
    assert PUBLIC.refuse_url(url) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", NO_TLS),
        ("http://127.0.0.1/", NO_TLS),
        ("http://localhost:8000/", NO_TLS),
        *(
            (f"https://{host}/", NOT_PUBLIC)
            for host in ("localhost", "LOCALHOST.", "x.localhost", "0177.0.0.1", "127.1")
        ),
        *(
            (f"https://{host}/", NOT_PUBLIC)
            for host in ("2130706433", "0x7f000001", "169.254.169.254", "0", "10.1.1.1")
        ),
        *((f"https://[{host}]/", NOT_PUBLIC) for host in ("::1", "::ffff:127.0.0.1", "64:ff9b::1", "fe80::1")),
        *((f"https://example.com:{port}/", f"Port {port} is not allowed") for port in (0, 22, 79, 5432, 9001, 65536)),
        ("https://[::1::1]/", "The host is not an IPv6 address"),
        *(
            (url, MALFORMED)
            for url in (
                *("", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "https://"),
                *("https://user@example.com/", "https://user:password@example.com/", "https://example.com@10.0.0.1/"),
                *("https://example.com:443@10.0.0.1/", "https://example.com#@10.0.0.1/", "https://example.com/#x"),
                *("https://example.com\\@10.0.0.1/", "https:\\\\example.com/", "https:///example.com/"),
                *(
                    "https://exam ple.com/",
                    "https://example.com/a b",
                    "https://example.com/\n",
                    " https://example.com/",
                ),
                *("https://example.com\t/", "https://bücher.example/", "https://example.com/ü", "https://①②⑦.0.0.1/"),
                *(
                    "https://127。0。0。1/",
                    "https://[fe80::1%25eth0]/",
                    "https://%6cocalhost/",
                    "https://example.com:/",
                ),
                *("https://.example.com/", "https://-/", "https://example.com:443:443/", "https://example.com:4 43/"),
            )
        ),
    ],
)
def test_a_url_is_refused(url: str, reason: str) -> None:
    assert PUBLIC.refuse_url(url) == reason


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:41234/x", "http://localhost:3000", "https://localhost:1/", "http://[::1]:80/", "http://127.1/"],
)
def test_for_development_this_machine_is_allowed(url: str) -> None:
    assert LOCAL.refuse_url(url) is None
    assert PUBLIC.refuse_url(url) is not None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", NO_TLS),
        ("https://10.0.0.1/", NOT_PUBLIC),
        ("https://169.254.169.254/", NOT_PUBLIC),
        ("https://[::ffff:127.0.0.1]/", NOT_PUBLIC),
        ("https://0.0.0.0/", NOT_PUBLIC),
        ("http://localhost:0/", "The port must be a number from 1 to 65535"),
        ("http://localhost:70000/", "The port must be a number from 1 to 65535"),
    ],
)
def test_for_development_nothing_else_is_allowed(url: str, reason: str) -> None:
    assert LOCAL.refuse_url(url) == reason
    assert LOCAL.refuse_addresses(["127.0.0.1", "::1"]) is None
    assert LOCAL.refuse_addresses(["127.0.0.1", "10.0.0.1"]) == NOT_PUBLIC
