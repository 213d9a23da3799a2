//! The kernel's tables of sockets, read by `sock_diag` or from `/proc/net`, and what to say when a part is missing.

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use crate::model::coverage::Coverage;
use crate::model::endpoint::{Family, Protocol};
use crate::model::event::TracedStateChange;
use crate::model::query::SocketQuery;
use crate::model::snapshot::Scope;
use crate::model::socket::{NetnsId, Socket, SocketId, SocketRef};
use crate::model::tcp_info::TcpDetail;
use crate::model::text::DisplayText;
use crate::source::SourceError;
use crate::source::linux::dumper::{DumpAnswer, DumpThreads, Dumper};
use crate::source::linux::failed;
use crate::source::linux::intake::DumpIntake;
use crate::source::linux::netlink::NetlinkSocket;
use crate::source::linux::proc_net::{self, ProcNet};
use crate::source::linux::query::{DumpPlan, PlannedDump};
use crate::source::linux::sock_diag::DumpRequest;
use crate::source::linux::unhashed::Unhashed;

/// One of the kernel's tables, as `/proc/net` has them.
type KernelTable = (Protocol, Family);

/// Where sockets are read from.
#[derive(Debug)]
pub struct SocketTables {
    /// `None` where only `/proc/net` is read.
    diag: Option<Dumper>,
    proc_net: ProcNet,
    /// What is worth saying in every sample.
    standing: Vec<DisplayText>,
}

impl SocketTables {
    /// Opens `sock_diag` and asks it a small question, so that a refusal shows now.
    pub fn sock_diag(netns: NetnsId) -> Result<Self, Errno> {
        let diag = Dumper::open(netns)?;
        Ok(Self { diag: Some(diag), proc_net: ProcNet::new(netns), standing: Vec::new() })
    }

    /// Reads `/proc/net`; `because` says why not `sock_diag`, if that was tried.
    pub fn procfs(netns: NetnsId, because: Option<Errno>) -> Result<Self, SourceError> {
        let refused = because.map(|error| format!("{}; /proc/net stands in", refusal("the kernel", error)));
        let standing = refused.as_deref().into_iter().chain([proc_net::LACKS]).map(DisplayText::new).collect();
        let mut tables = Self { diag: None, proc_net: ProcNet::new(netns), standing };
        tables.read(DumpThreads::One, &mut DumpIntake::all(&mut Vec::new()), &mut Coverage::default())?;
        Ok(tables)
    }

    /// Reads another namespace over a connection that was opened in it.
    pub fn others(netns: NetnsId, connection: NetlinkSocket) -> Self {
        let diag = Dumper::over(connection, netns);
        Self { diag: Some(diag), proc_net: ProcNet::new(netns), standing: Vec::new() }
    }

    /// Reads another namespace through the files of a process in it.
    pub fn procfs_of(netns: NetnsId, pid: u32) -> Result<Self, SourceError> {
        let mut tables = Self { diag: None, proc_net: ProcNet::of_process(netns, pid), standing: Vec::new() };
        tables.read(DumpThreads::One, &mut DumpIntake::all(&mut Vec::new()), &mut Coverage::default())?;
        Ok(tables)
    }

    /// The name of an interface in the namespace of these tables; `None` where only `/proc/net` is read.
    pub fn interface_name(&self, index: u32) -> Option<DisplayText> {
        self.diag.as_ref()?.interface_name(index)
    }

    /// Takes in every socket; what is missing is said in `coverage`.
    pub fn read(
        &mut self,
        threads: DumpThreads,
        intake: &mut DumpIntake<'_>,
        coverage: &mut Coverage,
    ) -> Result<(), SourceError> {
        self.read_plan(&DumpPlan::everything(), threads, intake, coverage)
    }

    /// Takes in what `plan` asks for; what is missing is said in `coverage`. From `/proc/net` comes all of each table that is
    /// asked for at all.
    pub fn read_plan(
        &mut self,
        plan: &DumpPlan,
        threads: DumpThreads,
        intake: &mut DumpIntake<'_>,
        coverage: &mut Coverage,
    ) -> Result<(), SourceError> {
        coverage.degraded.extend(self.standing.iter().cloned());
        self.proc_net.begin();
        let mut from_proc_net = Vec::new();
        for planned in &plan.dumps {
            if planned.family.is_none()
                && let Some(diag) = &mut self.diag
                && diag.read(planned, threads, intake, coverage)? == DumpAnswer::Given
            {
                continue;
            }
            for (planned, table) in planned.apart() {
                if !from_proc_net.contains(&table) && !self.read_table(&planned, threads, intake, coverage)? {
                    self.read_proc_net(table, intake, coverage)?;
                    from_proc_net.push(table);
                }
            }
        }
        if let Some(diag) = &mut self.diag {
            diag.read_mptcp(plan, intake, coverage)?;
            diag.drop_repeated(intake.sockets);
        }
        Ok(())
    }

    /// Takes in what the kernel gives of one table; not if it refuses.
    fn read_table(
        &mut self,
        planned: &PlannedDump,
        threads: DumpThreads,
        intake: &mut DumpIntake<'_>,
        coverage: &mut Coverage,
    ) -> Result<bool, SourceError> {
        let Some(diag) = &mut self.diag else { return Ok(false) };
        let answer = diag.read(planned, threads, intake, coverage)?;
        if let DumpAnswer::Refused(error) = answer {
            let sentence = refusal(&format!("for {} the kernel", planned.request(None)), error);
            coverage.degraded.push(DisplayText::new(&format!("{sentence}; /proc/net stands in")));
        }
        Ok(answer == DumpAnswer::Given)
    }

    /// The plan for `query`. Where there may be MPTCP connections, what carries them is told only with the `tcp_info`.
    pub fn plan(&mut self, query: &SocketQuery, unhashed: Unhashed) -> DumpPlan {
        let mut plan = DumpPlan::of(query, unhashed);
        if !query.fields.tcp_info || query.process.is_some() {
            plan.may_have_subflows = self.diag.as_mut().is_some_and(Dumper::may_have_mptcp_connections);
            plan.ask_for_tcp_info(query.fields.tcp_info || plan.may_have_subflows);
        }
        plan
    }

    /// About so many of the first sockets that `planned` asks for; none where the kernel does not answer.
    pub fn first_of(&mut self, planned: &PlannedDump, most: u32) -> Vec<Socket> {
        self.diag.as_mut().map(|diag| diag.first_of(planned, most)).unwrap_or_default()
    }

    /// Completes `sockets`, which were dumped without it, by their `tcp_info`.
    pub fn complete(&mut self, sockets: &mut [Socket]) {
        if let Some(diag) = &mut self.diag {
            diag.complete(sockets);
        }
    }

    /// What is said to who asks for MPTCP connections that this kernel has and does not list.
    pub fn unlisted_mptcp(&self) -> Option<DisplayText> {
        self.diag.as_ref().and_then(Dumper::unlisted_mptcp)
    }

    /// Whether partial samples and look-ups are possible: only where `sock_diag` answers for everything.
    pub fn has_parts(&self) -> bool {
        self.diag.as_ref().is_some_and(Dumper::has_all_tables)
    }

    /// Takes in the sockets of `scope`. Call it only where [`Self::has_parts`].
    pub fn read_part(
        &mut self,
        scope: Scope,
        intake: &mut DumpIntake<'_>,
        coverage: &mut Coverage,
    ) -> Result<(), SourceError> {
        match &self.diag {
            Some(_) => self.read_plan(&DumpPlan::of_scope(scope), DumpThreads::One, intake, coverage),
            None => Ok(()),
        }
    }

    /// Looks for each of `wanted`: those found are appended to `sockets`, those that are no more to `gone`.
    pub fn look_up(&mut self, wanted: &[SocketRef], sockets: &mut Vec<Socket>, gone: &mut Vec<SocketId>) {
        if let Some(diag) = &mut self.diag {
            diag.look_up(wanted, sockets, gone);
        }
    }

    /// Looks for what is left of connections whose full sockets were freed: mini-sockets are appended to `sockets`, and
    /// those of whose cookie there is nothing to `gone`.
    pub fn look_up_ended(&mut self, ended: &[SocketRef], sockets: &mut Vec<Socket>, gone: &mut Vec<SocketId>) {
        if let Some(diag) = &mut self.diag {
            diag.look_up_ended(ended, sockets, gone);
        }
    }

    /// Looks for the sockets that changes of state were told of: those found are appended to `sockets`. Gives the changes
    /// whose socket was not found; `None` where the kernel does not answer.
    pub fn look_up_changed(
        &mut self,
        changes: &[TracedStateChange],
        sockets: &mut Vec<Socket>,
    ) -> Option<Vec<TracedStateChange>> {
        self.diag.as_mut()?.look_up_changed(changes, sockets)
    }

    fn read_proc_net(
        &mut self,
        (protocol, family): KernelTable,
        intake: &mut DumpIntake<'_>,
        coverage: &mut Coverage,
    ) -> Result<(), SourceError> {
        match self.proc_net.read(protocol, family, intake.sockets, coverage) {
            Ok(()) => Ok(()),
            // A system without IPv6 has no such file.
            Err(Errno::NOENT) if family == Family::Ipv6 => Ok(()),
            Err(error) => Err(failed(&format!(
                "cannot read the kernel's list of {} sockets in /proc/net ({error}); see that /proc is mounted",
                DumpRequest::of((protocol, family))
            ))),
        }
    }

    /// Whether each of `sockets` still has an inode, so that something holds it; `None` where that cannot be said.
    /// Of TCP the kernel is asked; where it does not answer for one socket, its table is read again.
    pub fn held(&mut self, sockets: &[&Socket]) -> Vec<Option<bool>> {
        let mut read: Vec<(KernelTable, Option<FxHashSet<u32>>)> = Vec::new();
        let mut is_held = |socket: &&Socket| {
            let asked = self.diag.as_mut().and_then(|diag| diag.is_held(socket));
            asked.or_else(|| {
                let table = (socket.protocol, socket.family);
                if !read.iter().any(|(known, _)| *known == table) {
                    // A listing is not atomic: what one leaves out for a moment the next one has.
                    let twice = [self.inodes(table), self.inodes(table)];
                    let inodes = twice.into_iter().collect::<Option<Vec<_>>>();
                    read.push((table, inodes.map(|twice| twice.into_iter().flatten().collect())));
                }
                let (_, inodes) = read.iter().find(|(known, _)| *known == table)?;
                Some(inodes.as_ref()?.contains(&socket.inode?.get()))
            })
        };
        sockets.iter().map(&mut is_held).collect()
    }

    /// The inodes in a table now; `None` where it cannot be read whole.
    fn inodes(&mut self, table: KernelTable) -> Option<FxHashSet<u32>> {
        let (mut sockets, mut coverage) = (Vec::new(), Coverage::default());
        let answer = self.diag.as_mut().map(|diag| {
            diag.read(&PlannedDump::of(table), DumpThreads::One, &mut DumpIntake::all(&mut sockets), &mut coverage)
        });
        if !matches!(answer, Some(Ok(DumpAnswer::Given))) {
            sockets.clear();
            let read = self.proc_net.again().read(table.0, table.1, &mut sockets, &mut coverage);
            read.ok()?;
        }
        let is_whole = coverage.records_skipped == 0 && coverage.degraded.is_empty();
        is_whole.then(|| sockets.iter().filter_map(|socket| Some(socket.inode?.get())).collect())
    }

    /// The details of those of `wanted` that are still there; nothing where the source has none.
    pub fn details(&mut self, wanted: &[SocketRef]) -> Vec<(SocketId, TcpDetail)> {
        self.diag.as_mut().map(|diag| diag.details(wanted)).unwrap_or_default()
    }
}

/// That `who` refuses, and why, in words that help.
pub fn refusal(who: &str, error: Errno) -> String {
    let why = match error {
        Errno::NOENT => "modprobe tcp_diag and udp_diag load it".to_owned(),
        Errno::PERM | Errno::ACCESS => "a security policy forbids it".to_owned(),
        Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::OPNOTSUPP => "it was built without".to_owned(),
        error => error.to_string(),
    };
    format!("{who} refuses sock_diag ({why})")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::model::endpoint::Protocol;

    #[test]
    fn proc_net_says_what_it_lacks_and_why_it_is_read() {
        let mut tables = SocketTables::procfs(NetnsId(1), Some(Errno::PERM)).expect("/proc/net");
        let mut coverage = Coverage::default();
        tables.read(DumpThreads::One, &mut DumpIntake::all(&mut Vec::new()), &mut coverage).expect("/proc/net");
        let refused = "the kernel refuses sock_diag (a security policy forbids it); /proc/net stands in";
        let said: Vec<_> = coverage.degraded.iter().map(DisplayText::as_str).collect();
        assert_eq!(said, [refused, proc_net::LACKS]);
    }

    #[test]
    fn a_table_that_is_refused_comes_from_proc_net_with_a_word_about_it() {
        let mut tables = SocketTables::sock_diag(NetnsId(1)).expect("sock_diag");
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let port = socket.local_addr().expect("bound").port();
        let udp = (Protocol::Udp, Family::Ipv4);
        tables.diag.as_mut().expect("open").refuse(udp, Errno::NOENT);
        let (mut sockets, mut coverage) = (Vec::new(), Coverage::default());
        tables.read(DumpThreads::One, &mut DumpIntake::all(&mut sockets), &mut coverage).expect("readable");
        let found = sockets.iter().find(|socket| socket.local.port == port && socket.protocol == Protocol::Udp);
        assert_eq!(found.expect("listed").id.cookie(), None);
        assert!(coverage.degraded.iter().any(|sentence| sentence.as_str().contains("IPv4 UDP")), "{coverage:?}");
    }

    #[test]
    fn a_socket_is_held_until_it_is_closed() {
        let mut tables = SocketTables::sock_diag(NetnsId(1)).expect("sock_diag");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let waiting = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let mut sockets = Vec::new();
        tables.read(DumpThreads::One, &mut DumpIntake::all(&mut sockets), &mut Coverage::default()).expect("readable");
        let find = |port: u16, protocol| {
            // A connection of another test may linger at a port that is free again.
            let is_it =
                |socket: &&Socket| socket.local.port == port && socket.protocol == protocol && socket.remote.is_unset();
            sockets.iter().find(is_it).expect("listed").clone()
        };
        let tcp = find(listener.local_addr().expect("bound").port(), Protocol::Tcp);
        let udp = find(waiting.local_addr().expect("bound").port(), Protocol::Udp);
        assert_eq!(tables.held(&[&tcp, &udp]), [Some(true); 2]);
        drop(listener);
        // A child that another test starts at this moment holds it, too, until its exec.
        let deadline = Instant::now() + Duration::from_secs(60);
        while tables.held(&[&tcp]) == [Some(true)] {
            assert!(Instant::now() < deadline, "still held");
        }
        drop(waiting);
        while tables.held(&[&udp]) == [Some(true)] {
            assert!(Instant::now() < deadline, "still held");
        }
        assert_eq!(tables.held(&[&tcp, &udp]), [Some(false); 2]);
        let mut procfs = SocketTables::procfs(NetnsId(1), None).expect("/proc/net");
        assert_eq!(procfs.held(&[&tcp, &udp]), [Some(false); 2], "without cookies the table is read again");
        let other = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let mut sockets = Vec::new();
        procfs.read(DumpThreads::One, &mut DumpIntake::all(&mut sockets), &mut Coverage::default()).expect("/proc/net");
        let port = other.local_addr().expect("bound").port();
        let found = sockets.iter().find(|socket| socket.local.port == port && socket.protocol == Protocol::Udp);
        assert_eq!(procfs.held(&[found.expect("listed")]), [Some(true)]);
    }

    #[test]
    fn a_socket_that_came_twice_is_kept_once() {
        let mut tables = SocketTables::sock_diag(NetnsId(1)).expect("sock_diag");
        let _listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut sockets = Vec::new();
        tables.read(DumpThreads::One, &mut DumpIntake::all(&mut sockets), &mut Coverage::default()).expect("readable");
        let count = sockets.len();
        sockets.extend(sockets.clone());
        tables.diag.as_mut().expect("open").drop_repeated(&mut sockets);
        assert_eq!(sockets.len(), count);
    }
}
