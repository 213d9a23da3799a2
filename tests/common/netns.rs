//! Network namespaces made for one test by `ip netns`, and sockets in them.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::skip::skip;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A network namespace with a name of its own; gone with the value.
pub struct Netns {
    /// What `ip netns` calls it.
    pub name: String,
    /// The inode of its file.
    pub inode: u32,
}

impl Netns {
    /// A new one with its loopback up; `None` where that is not allowed, which is said loudly.
    pub fn new() -> Option<Self> {
        let name = format!("conntop-test-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        if !made.is_ok_and(|output| output.status.success()) {
            skip("`ip netns add` does not work here");
            return None;
        }
        let up = Command::new("ip").args(["-n", &name, "link", "set", "lo", "up"]).status();
        let stat = rustix::fs::stat(format!("/run/netns/{name}")).expect("ip netns makes this file");
        let inode = u32::try_from(stat.st_ino).expect("namespaces have 32 bits");
        let netns = Self { name, inode };
        assert!(up.is_ok_and(|status| status.success()), "a new namespace is ours");
        Some(netns)
    }

    /// Runs `make` inside of it, on a thread that ends then; sockets that it opens belong to it for ever.
    pub fn inside<T: Send + 'static>(&self, make: impl FnOnce() -> T + Send + 'static) -> T {
        let door = std::fs::File::open(format!("/run/netns/{}", self.name)).expect("it is there");
        let thread = std::thread::spawn(move || {
            move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may enter");
            make()
        });
        thread.join().expect("nothing panics inside")
    }

    /// A listener on 127.0.0.1 at `listen`, a client at `client`, and the accepted connection.
    pub fn pair(&self, listen: u16, client: u16) -> (TcpListener, TcpStream, TcpStream) {
        self.inside(move || {
            let local = SocketAddr::from(([127, 0, 0, 1], listen));
            let listener = TcpListener::bind(local).expect("nobody else is here");
            // Or a child that another test starts meanwhile would hold it, too.
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
            let socket = socket.expect("a descriptor is free");
            rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], client))).expect("nobody else is here");
            rustix::net::connect(&socket, &local).expect("the listener is there");
            let (server, _) = listener.accept().expect("it has connected");
            (listener, TcpStream::from(socket), server)
        })
    }

    /// Takes it away; what still holds it open keeps it alive without a name.
    pub fn delete(&self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        self.delete();
    }
}
