//! Ready-made commands for a connection: what people run next, with the addresses and numbers filled in. All that comes from
//! outside is numbers and addresses, and what a unit is called, so that nothing of it means something to a shell.

use std::net::IpAddr;

use crate::app::menu::MenuLine;
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::process::ProcessId;
use crate::model::socket::Socket;

/// Where the commands are to look.
#[derive(Clone, Copy, Debug)]
pub struct CommandPlace<'a> {
    /// Who holds the socket.
    pub holder: Option<ProcessId>,
    /// Whether the socket is in another network namespace than conntop.
    pub is_elsewhere: bool,
    /// The service unit, container or pod.
    pub unit: Option<&'a str>,
}

impl CommandPlace<'_> {
    /// `command`, run where the socket is.
    fn inside(self, command: String) -> String {
        match self.holder.filter(|_| self.is_elsewhere) {
            Some(holder) => format!("nsenter -t {} -n {command}", holder.pid),
            None => command,
        }
    }
}

/// The commands for `socket`, each with the name of its program.
pub fn for_socket(socket: &Socket, place: CommandPlace<'_>) -> Vec<MenuLine> {
    let network = [("ss", ss(socket)), ("tcpdump", tcpdump(socket))];
    let network = network.into_iter().map(|(name, command)| (name, place.inside(command)));
    let process = place.holder.into_iter().flat_map(|holder| for_process(holder, place.is_elsewhere));
    let kubectl = place.unit.and_then(kubectl).map(|command| ("kubectl", command));
    network
        .chain(process)
        .chain(kubectl)
        .map(|(label, about)| MenuLine { label: label.into(), about, ..MenuLine::default() })
        .collect()
}

/// The commands for a process: its system calls, its stacks and the sockets around it.
pub fn for_process(process: ProcessId, is_elsewhere: bool) -> impl Iterator<Item = (&'static str, String)> {
    let pid = process.pid;
    let always = [
        ("strace", format!("strace -f -tt -p {pid} -e trace=%network,read,write,close")),
        ("gdb", format!("gdb -p {pid} -batch -ex 'thread apply all backtrace'")),
    ];
    always.into_iter().chain(is_elsewhere.then(|| ("nsenter", format!("nsenter -t {pid} -n ss -tanp"))))
}

/// Its line of ss(8), with the `tcp_info`.
fn ss(socket: &Socket) -> String {
    let kind = match socket.protocol {
        Protocol::Tcp => "-t",
        Protocol::Mptcp => "-M",
        Protocol::Udp => "-u",
    };
    let ends = [("src", socket.local), ("dst", socket.remote)];
    let ends = ends.into_iter().filter(|(_, end)| !end.is_unset()).map(|(name, end)| format!("{name} {}", ss_end(end)));
    format!("ss {kind} -a -i -n -p -o '{}'", ends.collect::<Vec<_>>().join(" and "))
}

fn ss_end(end: Endpoint) -> String {
    match end.addr.to_canonical() {
        ip if ip.is_unspecified() => format!(":{}", end.port),
        IpAddr::V4(ip) => format!("{ip}:{}", end.port),
        IpAddr::V6(ip) => format!("[{ip}]:{}", end.port),
    }
}

/// Its packets, as tcpdump(8) shows them on whichever interface.
fn tcpdump(socket: &Socket) -> String {
    let protocol = if socket.protocol == Protocol::Udp { "udp" } else { "tcp" };
    let mut terms = vec![protocol.to_owned()];
    for end in [socket.local, socket.remote].into_iter().filter(|end| !end.is_unset()) {
        let ip = end.addr.to_canonical();
        if !ip.is_unspecified() {
            terms.push(format!("host {ip}"));
        }
        terms.push(format!("port {}", end.port));
    }
    format!("tcpdump -n -i any '{}'", terms.join(" and "))
}

/// The pod whose uid begins as `unit` says: `pod:0f1e2d3c/1a2b3c4d5e6f`.
fn kubectl(unit: &str) -> Option<String> {
    let uid: String = unit.strip_prefix("pod:")?.chars().take_while(char::is_ascii_hexdigit).collect();
    let columns = "UID:.metadata.uid,NAMESPACE:.metadata.namespace,NAME:.metadata.name";
    (!uid.is_empty()).then(|| format!("kubectl get pods -A -o custom-columns={columns} | grep ^{uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{listener, process, tcp, udp};

    fn command(socket: &Socket, place: CommandPlace<'_>, name: &str) -> Option<String> {
        for_socket(socket, place).into_iter().find(|line| line.label == name).map(|line| line.about)
    }

    const HERE: CommandPlace<'_> = CommandPlace { holder: None, is_elsewhere: false, unit: None };

    #[test]
    fn commands_name_both_ends_of_a_connection_and_the_port_of_a_listener() {
        let connection = tcp(1).local("10.0.0.7:51234").remote("[::ffff:10.0.0.20]:5432").build();
        let of = |socket: &Socket, name| command(socket, HERE, name).expect(name);
        assert_eq!(of(&connection, "ss"), "ss -t -a -i -n -p -o 'src 10.0.0.7:51234 and dst 10.0.0.20:5432'");
        assert_eq!(
            of(&connection, "tcpdump"),
            "tcpdump -n -i any 'tcp and host 10.0.0.7 and port 51234 and host 10.0.0.20 and port 5432'"
        );
        assert_eq!(of(&listener(2, 443).build(), "ss"), "ss -t -a -i -n -p -o 'src :443'");
        assert_eq!(of(&listener(2, 443).build(), "tcpdump"), "tcpdump -n -i any 'tcp and port 443'");
        assert_eq!(of(&udp(3, 53).local("[::1]:53").build(), "ss"), "ss -u -a -i -n -p -o 'src [::1]:53'");
        assert!(command(&connection, HERE, "strace").is_none(), "nobody is known to hold it");
    }

    #[test]
    fn commands_for_another_namespace_enter_it_by_the_holder() {
        let holder = Some(process(4121, "jdbc-pool").id);
        let place = CommandPlace { holder, is_elsewhere: true, unit: Some("pod:0f1e2d3c/1a2b3c4d5e6f") };
        let socket = listener(1, 80).build();
        let of = |name| command(&socket, place, name).expect(name);
        assert_eq!(of("ss"), "nsenter -t 4121 -n ss -t -a -i -n -p -o 'src :80'");
        assert_eq!(of("nsenter"), "nsenter -t 4121 -n ss -tanp");
        assert!(of("strace").contains("-p 4121") && of("gdb").contains("-p 4121"));
        assert!(of("kubectl").ends_with("| grep ^0f1e2d3c"));
        let hostile = CommandPlace { unit: Some("pod:';reboot"), ..place };
        assert_eq!(command(&socket, hostile, "kubectl"), None);
    }
}
