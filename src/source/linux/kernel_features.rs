//! What kernels differ in and no answer shows by itself: an old kernel that leaves sockets out lists as well as one that has
//! none of them.
//!
//! The kernel is asked, by a socket of conntop's own, and not by the number of its release: vendors bring new features to
//! old releases. It is asked once, and only when the user names what depends on it. `docs/kernels.md` has the whole table.

use std::cell::OnceCell;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

use crate::model::endpoint::{Family, Protocol};
use crate::model::query::SocketEnd;
use crate::model::snapshot::AskedByName;
use crate::model::socket::{NetnsId, Socket};
use crate::source::linux::byte_code::{ByteCode, FilterSupport};
use crate::source::linux::kernel_test::KernelTest;
use crate::source::linux::netlink::NetlinkSocket;
use crate::source::linux::sock_diag::{BOUND, DiagDecoder, DumpRequest};

/// What is said where bound sockets are asked for and not listed.
pub const BOUND_NOT_LISTED: &str = "this kernel does not list TCP sockets that are only bound (Linux 6.8 and later do): state \
                                    BOUND finds none, and a port that one of them keeps looks free";
/// What is said where units are asked for and the kernel tells no cgroups.
pub const CGROUPS_NOT_TOLD: &str = "this kernel does not tell the cgroups of sockets (Linux 5.8 and later do): units are those \
                                    of the processes that hold them, and missing where nobody does";

/// What this kernel tells. Each is found out when it is first wanted; `None` where that could not be found out.
#[derive(Clone, Debug, Default)]
pub struct KernelFeatures {
    lists_bound: OnceCell<Option<bool>>,
    tells_cgroups: OnceCell<Option<bool>>,
}

impl KernelFeatures {
    /// A kernel of which this much is known: for tests, which run on a new one.
    pub fn known(lists_bound: bool, tells_cgroups: bool) -> Self {
        Self { lists_bound: Some(lists_bound).into(), tells_cgroups: Some(tells_cgroups).into() }
    }

    /// Whether TCP sockets are listed that are bound and neither listen nor are connected (`TCP_BOUND_INACTIVE`).
    pub fn lists_bound(&self) -> Option<bool> {
        *self.lists_bound.get_or_init(|| probe_bound().ok())
    }

    /// Whether a socket is listed with the number of its cgroup (`INET_DIAG_CGROUP_ID`).
    pub fn tells_cgroups(&self) -> Option<bool> {
        *self.tells_cgroups.get_or_init(|| probe_cgroup().ok())
    }

    /// Takes in what a dump shows by itself: `sockets` are as the kernel told them. Then nobody has to ask.
    pub fn learn(&self, sockets: &[Socket]) {
        if self.tells_cgroups.get().is_none() && sockets.iter().any(|socket| socket.cgroup.is_some()) {
            // It was not known.
            let _ = self.tells_cgroups.set(Some(true));
        }
    }

    /// What the user asked for by name and this kernel does not tell, a sentence each.
    pub fn missing(&self, asked: AskedByName) -> impl Iterator<Item = &'static str> {
        let bound = (asked.bound && self.lists_bound() == Some(false)).then_some(BOUND_NOT_LISTED);
        let cgroups = (asked.units && self.tells_cgroups() == Some(false)).then_some(CGROUPS_NOT_TOLD);
        bound.into_iter().chain(cgroups)
    }
}

/// Binds a TCP socket to a free port and looks for it: nobody can connect to it, as it does not listen.
fn probe_bound() -> Result<bool, Errno> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
    let address = SocketAddr::try_from(getsockname(&socket)?)?;
    Ok(!at_port(Protocol::Tcp, BOUND, address.port())?.is_empty())
}

/// Binds a UDP socket to a free port and looks what is told of it.
fn probe_cgroup() -> Result<bool, Errno> {
    let failed = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let port = socket.local_addr().map_err(failed)?.port();
    let listed = at_port(Protocol::Udp, DumpRequest::of((Protocol::Udp, Family::Ipv4)).states, port)?;
    // Its own is among them; others with this port are of other addresses and of the same kernel.
    listed.first().map(|socket| socket.cgroup.is_some()).ok_or(Errno::NOENT)
}

/// The IPv4 sockets in `states` that have the local port `port`.
fn at_port(protocol: Protocol, states: u32, port: u16) -> Result<Vec<Socket>, Errno> {
    let mut connection = NetlinkSocket::open()?;
    let test = KernelTest::port(SocketEnd::Local, port, port);
    let filter = ByteCode::of(&test, FilterSupport::All);
    let request = DumpRequest { states, filter: filter.as_ref(), ..DumpRequest::of((protocol, Family::Ipv4)) };
    let mut sockets = Vec::new();
    let exchange = DiagDecoder { netns: NetnsId(0) }.dump(&mut connection, request, |socket| sockets.push(socket));
    exchange.error.map_or(Ok(sockets), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_comes_with_its_cgroup_answers_for_the_kernel() {
        let features = KernelFeatures::default();
        features.learn(&[crate::model::testing::tcp(1).build()]);
        assert!(features.tells_cgroups.get().is_none(), "a socket without one proves nothing");
        let cgroup = std::num::NonZeroU64::new(7);
        features.learn(&[Socket { cgroup, ..crate::model::testing::tcp(1).build() }]);
        assert_eq!(features.tells_cgroups.get(), Some(&Some(true)), "nothing is asked");
        let old = KernelFeatures::known(false, false);
        old.learn(&[Socket { cgroup, ..crate::model::testing::tcp(1).build() }]);
        assert_eq!(old.tells_cgroups(), Some(false), "what is known stays");
    }

    const BOTH: AskedByName = AskedByName { bound: true, units: true, mptcp: false };

    #[test]
    fn what_an_old_kernel_does_not_tell_is_said_where_it_is_asked_for() {
        let said = |features: &KernelFeatures, asked| features.missing(asked).collect::<Vec<_>>();
        let old = KernelFeatures::known(false, false);
        assert_eq!(said(&old, BOTH), [BOUND_NOT_LISTED, CGROUPS_NOT_TOLD]);
        assert_eq!(said(&old, AskedByName { units: false, ..BOTH }), [BOUND_NOT_LISTED]);
        assert_eq!(said(&old, AskedByName { bound: false, ..BOTH }), [CGROUPS_NOT_TOLD]);
        assert_eq!(said(&old, AskedByName::default()), [""; 0]);
        assert_eq!(said(&KernelFeatures::known(true, true), BOTH), [""; 0]);
    }

    #[test]
    fn what_could_not_be_found_out_is_not_said() {
        let features = KernelFeatures { lists_bound: None.into(), tells_cgroups: None.into() };
        assert_eq!(features.missing(BOTH).count(), 0);
    }

    #[test]
    fn the_kernel_of_this_machine_answers_as_its_release_promises() {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let mut numbers = release.split('.').map_while(|number| number.parse::<u32>().ok());
        let release = (numbers.next().expect("a major number"), numbers.next().expect("a minor number"));
        let features = KernelFeatures::default();
        // A vendor may have brought more to an older release, never less to a newer one.
        assert!(release < (6, 8) || features.lists_bound() == Some(true), "{release:?} {features:?}");
        assert!(release < (5, 8) || features.tells_cgroups() == Some(true), "{release:?} {features:?}");
        assert!(features.lists_bound().is_some() && features.tells_cgroups().is_some());
    }
}
