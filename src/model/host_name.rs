//! What an address is called, and which addresses may be asked about.
//!
//! A name comes from whoever owns the address, or says so: it is a hint beside the address and decides nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::exposure::Exposure;
use crate::model::text::{DisplayText, HOST_LEN_MAX};

/// The longest label of a name, in bytes (RFC 1035, section 2.3.4).
const LABEL_LEN_MAX: usize = 63;

/// A name of a host that can do no harm on a terminal and is no address in disguise.
///
/// Letters, digits, `-`, `_` and dots only, in labels of 1 to 63 bytes that neither begin nor end with `-` (RFC 1123,
/// section 2.1; `_` is common in the wild), at most 253 bytes, in lower case (RFC 4343), without the dot at its end.
/// A name whose last label is a number is refused: programs read `127.1`, `2130706433` and `0x7f.1` as addresses
/// (inet(3)). Resolvers do not keep to this by themselves (CVE-2026-4438).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(DisplayText);

impl HostName {
    /// The name in `bytes`; `None` if it is none, or not a harmless one.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_suffix(b".").unwrap_or(bytes);
        let labels = || bytes.split(|byte| *byte == b'.');
        let is_fine =
            bytes.len() <= HOST_LEN_MAX && labels().all(is_label) && !labels().next_back().is_some_and(is_number);
        is_fine.then(|| Self(DisplayText::from_bytes(&bytes.to_ascii_lowercase(), HOST_LEN_MAX)))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

fn is_label(label: &[u8]) -> bool {
    (1..=LABEL_LEN_MAX).contains(&label.len())
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
        && label.first() != Some(&b'-')
        && label.last() != Some(&b'-')
}

/// Whether a program could read an address from a name that ends in `label`: decimal, octal or hexadecimal.
fn is_number(label: &[u8]) -> bool {
    match label {
        [b'0', b'x' | b'X', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

/// An address and its name; `None` if it has none (any more).
pub type Named = (IpAddr, Option<HostName>);

/// Whether name servers may be asked what addresses are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lookups {
    /// Never, whatever is asked for later.
    Forbidden,
    /// Not now.
    #[default]
    Off,
    /// Yes.
    On,
}

/// Whether a question about `addr` may leave this machine: it tells the name servers on the way, and the owner of the
/// address, that somebody looks. Private ones (not routed on the internet, or reserved for documentation) only where
/// `with_private`: outside they mean nothing, and the question gives the inner network away.
pub fn may_be_asked(addr: IpAddr, with_private: bool) -> bool {
    let addr = addr.to_canonical();
    let is_public = Exposure::of(addr) == Exposure::Public && !is_special(addr);
    !addr.is_unspecified() && (is_public || with_private)
}

/// Public by form, but of nobody: documentation, benchmarks, reserved (RFC 5737, 2544, 1112, 3849, 9637, 6890).
fn is_special(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => is_special_v4(addr),
        IpAddr::V6(addr) => is_special_v6(addr),
    }
}

fn is_special_v4(addr: Ipv4Addr) -> bool {
    let [first, second, third, _] = addr.octets();
    let is_benchmark = first == 198 && second & 0xfe == 18;
    let is_protocol_assignment = (first, second, third) == (192, 0, 0);
    addr.is_documentation() || is_benchmark || is_protocol_assignment || first == 0 || first >= 240
}

fn is_special_v6(addr: Ipv6Addr) -> bool {
    let segments = addr.segments();
    let is_documentation =
        (segments[0], segments[1]) == (0x2001, 0xdb8) || segments[0] == 0x3fff && segments[1] < 0x1000;
    // Only 2000::/3 is given out (RFC 4291, section 2.4). Outside of it are fec0::/10, 100::/64, and 64:ff9b::/96 of NAT64
    // (RFC 6052), which stands for an IPv4 address that may be a private one.
    let is_unicast = segments[0] & 0xe000 == 0x2000;
    is_documentation || !is_unicast
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Option<String> {
        HostName::new(text.as_bytes()).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn names_of_hosts_are_taken_in_lower_case_without_the_last_dot() {
        for (text, taken) in [
            ("db-1.example.com", "db-1.example.com"),
            ("DB-1.Example.COM.", "db-1.example.com"),
            ("localhost", "localhost"),
            ("_sip._tcp.example.com", "_sip._tcp.example.com"),
            ("1-2-3-4.dyn.example.net", "1-2-3-4.dyn.example.net"),
            ("4.3.2.1.in-addr.arpa", "4.3.2.1.in-addr.arpa"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("3com.example", "3com.example"),
            ("0x7f.example", "0x7f.example"),
        ] {
            assert_eq!(name(text).as_deref(), Some(taken));
        }
        let longest =
            [&"a".repeat(63), &"b".repeat(63), &"c".repeat(63), &"d".repeat(61)].map(String::as_str).join(".");
        assert_eq!((longest.len(), name(&longest)), (253, Some(longest.clone())));
        assert_eq!(name(&format!("{longest}.")), Some(longest));
    }

    #[test]
    fn what_could_mislead_or_reach_the_terminal_is_refused() {
        let long_label = format!("{}.example", "a".repeat(64));
        let too_long =
            [&"a".repeat(63), &"b".repeat(63), &"c".repeat(63), &"d".repeat(62)].map(String::as_str).join(".");
        let very_long = "a.".repeat(150);
        for text in [
            "",
            ".",
            "a..b",
            ".example.com",
            "example.com..",
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "2130706433",
            "0x7f.1",
            "evil.0x7f000001",
            "0x",
            "1.2.3.4.5",
            "::1",
            "2001:db8::1",
            "fe80::1%eth0",
            "a b.example",
            "a\nb.example",
            "a\0.example",
            "\x1b]52;c;AAAA\x07.example",
            "a\u{9b}31m.example",
            "\u{202e}moc.elpmaxe",
            "bücher.example",
            "ｅxample.com",
            "-rf.example",
            "a-.example",
            "$(reboot).example",
            "a/b.example",
            "a,b.example",
            "=cmd.example",
            "<b>.example",
            "a:80",
            long_label.as_str(),
            too_long.as_str(),
            very_long.as_str(),
        ] {
            assert_eq!(name(text), None, "{text:?}");
        }
        assert_eq!(HostName::new(b"\xff\xfe.example"), None);
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_only_plain_names_come_out(bytes: Vec<u8>, plain in "[a-zA-Z0-9._-]{0,300}") {
            for name in [HostName::new(&bytes), HostName::new(plain.as_bytes())].into_iter().flatten() {
                let text = name.as_str();
                prop_assert!(text.len() <= 253 && !text.is_empty());
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)));
                prop_assert!(text.parse::<IpAddr>().is_err());
                prop_assert_eq!(HostName::new(text.as_bytes()), Some(name.clone()));
            }
        }
    }

    #[test]
    fn only_public_addresses_are_asked_about_unless_told() {
        for address in ["8.8.8.8", "2600::1", "2a00:1450::1", "::ffff:8.8.8.8", "1.1.1.1", "223.255.255.254", "2002::1"]
        {
            assert!(may_be_asked(address.parse().expect("an address"), false), "{address}");
        }
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "224.0.0.251",
            "255.255.255.255",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.9",
            "198.18.0.1",
            "198.19.255.255",
            "192.0.0.8",
            "0.1.2.3",
            "240.0.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "64:ff9b::a00:1",
            "100::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::10.0.0.1",
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert!(!may_be_asked(address, false), "{address}");
            assert!(may_be_asked(address, true), "{address}");
        }
        for address in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
            assert!(!may_be_asked(address.parse().expect("an address"), true), "{address}");
        }
    }
}
