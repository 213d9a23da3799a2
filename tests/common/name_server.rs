//! A name server for one test: knows what 8.8.0.0/16 is called, and counts who is asked about.
//!
//! Only inside a namespace of the network and of mounts: it takes the place of what `/etc/resolv.conf` names.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::skip::skip;

/// Where it listens.
const ADDRESS: &str = "127.0.0.53";

/// One that answers until the test ends.
pub struct NameServer {
    asked: Arc<Mutex<Vec<String>>>,
    _files: tempfile::TempDir,
}

impl NameServer {
    /// Starts it and makes it the only one that the resolver knows; `None`, said loudly, where that cannot be.
    pub fn start() -> Option<Self> {
        let files = tempfile::tempdir().expect("a directory");
        // As long as the resolver goes: an answer that is late is no reason to ask again.
        let resolv = format!("nameserver {ADDRESS}\noptions timeout:30 attempts:1\n");
        let texts = [
            ("resolv.conf", resolv.as_str()),
            ("nsswitch.conf", "hosts: files dns\n"),
            ("hosts", "127.0.0.1 localhost\n"),
        ];
        for (name, text) in texts {
            let (file, place) = (files.path().join(name), Path::new("/etc").join(name));
            fs::write(&file, text).expect("writable");
            if !place.exists() || !done(Command::new("mount").arg("--bind").args([&file, &place])) {
                skip(&format!("{} cannot be put aside here", place.display()));
                return None;
            }
        }
        // A cache of names would answer in its place, from outside of the namespace.
        for cache in ["/run/nscd", "/var/run/nscd"].into_iter().filter(|cache| Path::new(cache).exists()) {
            assert!(done(Command::new("mount").args(["-t", "tmpfs", "none", cache])), "{cache} is put aside");
        }
        // On the loopback device the whole network is ours: every address of it can be a peer.
        assert!(done(Command::new("ip").args(["address", "add", "8.8.0.0/16", "dev", "lo"])), "the namespace is ours");
        let socket = UdpSocket::bind((ADDRESS, 53)).expect("nobody else is here");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let questions = Arc::clone(&asked);
        thread::spawn(move || answer(&socket, &questions));
        Some(Self { asked, _files: files })
    }

    /// Every question so far, in its order: `1.0.8.8.in-addr.arpa`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panics").clone()
    }
}

fn done(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The name under which `addr` is asked about.
pub fn question(addr: Ipv4Addr) -> String {
    let [a, b, c, d] = addr.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa")
}

/// What the server calls 8.8.`third`.`fourth`.
pub fn name(third: u8, fourth: u8) -> String {
    format!("h-{third}-{fourth}.example")
}

/// Peers with which something is wrong; all others of 8.8.0.0/16 have the name [`name`].
pub mod peers {
    /// It has no name.
    pub const WITHOUT_NAME: &str = "8.8.255.1";
    /// Its name holds an escape sequence.
    pub const ESCAPE: &str = "8.8.255.2";
    /// Its name is an address.
    pub const ADDRESS: &str = "8.8.255.3";
    /// Its name holds a line break.
    pub const LINES: &str = "8.8.255.4";
    /// Its name turns the reading order round.
    pub const BIDI: &str = "8.8.255.5";
    /// Nobody answers.
    pub const SILENT: &str = "8.8.255.6";
}

/// The labels of the name of `asked`; `None` if there is none; nothing at all is answered about the silent one.
fn labels(asked: &str) -> Option<Vec<Vec<u8>>> {
    let plain = |text: &str| text.split('.').map(|label| label.as_bytes().to_vec()).collect();
    let octets: Vec<&str> = asked.strip_suffix(".in-addr.arpa")?.split('.').collect();
    match octets[..] {
        ["1", "255", "8", "8"] => None,
        ["2", "255", "8", "8"] => Some(vec![b"\x1b]0;PWN\x07".to_vec(), b"example".to_vec()]),
        ["3", "255", "8", "8"] => Some(plain("127.0.0.1")),
        ["4", "255", "8", "8"] => Some(vec![b"two\nlines".to_vec(), b"example".to_vec()]),
        ["5", "255", "8", "8"] => Some(vec!["\u{202e}live".as_bytes().to_vec(), b"example".to_vec()]),
        [fourth, third, ..] => Some(plain(&name(third.parse().ok()?, fourth.parse().ok()?))),
        _ => None,
    }
}

/// RFC 1035, section 4: a header of 12 bytes, the question as it came, and at most one PTR record.
fn answer(socket: &UdpSocket, questions: &Mutex<Vec<String>>) {
    let mut buffer = [0; 512];
    while let Ok((len, client)) = socket.recv_from(&mut buffer) {
        let Some((asked, end)) = question_of(&buffer[..len]) else { continue };
        questions.lock().expect("no thread panics").push(asked.clone());
        if asked == question(peers::SILENT.parse().expect("an address")) {
            continue;
        }
        let labels = labels(&asked);
        let mut reply = buffer[..2].to_vec();
        // An answer, recursion available; NXDOMAIN where there is none.
        reply.extend([0x81, if labels.is_some() { 0x80 } else { 0x83 }]);
        reply.extend([0, 1, 0, u8::from(labels.is_some()), 0, 0, 0, 0]);
        reply.extend(&buffer[12..end]);
        if let Some(labels) = labels {
            let mut name: Vec<u8> = labels
                .iter()
                .flat_map(|label| [&[u8::try_from(label.len()).expect("short")], &label[..]].concat())
                .collect();
            name.push(0);
            // The name of the question, PTR, IN, a minute.
            reply.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 60, 0, u8::try_from(name.len()).expect("short")]);
            reply.extend(name);
        }
        let _ = socket.send_to(&reply, client);
    }
}

/// The name that is asked for, and where the question ends.
fn question_of(packet: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let len = usize::from(*packet.get(at)?);
        if len == 0 {
            return Some((labels.join("."), at + 5)).filter(|(_, end)| *end <= packet.len());
        }
        labels.push(String::from_utf8_lossy(packet.get(at + 1..at + 1 + len)?).into_owned());
        at += 1 + len;
    }
}
