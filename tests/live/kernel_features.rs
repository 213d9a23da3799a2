//! What is said of an old kernel: simulated, as these tests run on a new one. And what is not said of the new one.

use std::net::{Ipv4Addr, SocketAddr};

use conntop::model::snapshot::{AskedByName, Needs, Snapshot};
use conntop::source::Source;
use conntop::source::linux::LinuxSource;
use conntop::source::linux::kernel_features::{BOUND_NOT_LISTED, CGROUPS_NOT_TOLD, KernelFeatures};
use rustix::net::{self, AddressFamily, SocketType};

/// What a sample says is missing where this is asked for by name.
fn missing(source: &mut LinuxSource, by_name: AskedByName) -> Vec<String> {
    let mut snapshot = Snapshot::default();
    source.sample(&Needs { by_name, ..Needs::default() }, &mut snapshot).expect("sock_diag");
    let said = snapshot.coverage.degraded.iter().map(ToString::to_string);
    said.filter(|sentence| [BOUND_NOT_LISTED, CGROUPS_NOT_TOLD].contains(&sentence.as_str())).collect()
}

#[test]
fn an_old_kernel_is_named_only_to_who_asks_for_what_it_does_not_tell() {
    let mut source = LinuxSource::sock_diag().expect("sock_diag").with_features(KernelFeatures::known(false, false));
    let bound = AskedByName { bound: true, ..AskedByName::default() };
    let units = AskedByName { units: true, ..AskedByName::default() };
    assert_eq!(missing(&mut source, AskedByName::default()), [""; 0]);
    assert_eq!(missing(&mut source, bound), [BOUND_NOT_LISTED]);
    assert_eq!(missing(&mut source, units), [CGROUPS_NOT_TOLD]);
    assert_eq!(missing(&mut source, bound.and(units)), [BOUND_NOT_LISTED, CGROUPS_NOT_TOLD]);
}

#[test]
fn a_kernel_that_lists_bound_sockets_is_found_to() {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
    let port = SocketAddr::try_from(net::getsockname(&socket).expect("bound")).expect("an address").port();
    let mut source = LinuxSource::sock_diag().expect("sock_diag");
    let bound = AskedByName { bound: true, ..AskedByName::default() };
    let said = missing(&mut source, bound);
    let mut snapshot = Snapshot::default();
    source.sample(&Needs::default(), &mut snapshot).expect("sock_diag");
    let is_listed = snapshot.sockets.iter().any(|socket| socket.local.port == port && !socket.is_listener());
    assert_eq!(said.is_empty(), is_listed, "it says so if and only if it leaves it out: {said:?}");
}
