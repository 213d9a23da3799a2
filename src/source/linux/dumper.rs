//! Tables of sockets by `sock_diag`: what the kernel refuses, answers twice or breaks off, and large tables dumped in two
//! halves by two threads.
//!
//! Two threads save time, not work: both walk the kernel's whole table (some 0.2 microseconds a socket), so that they
//! take a third more of it together. They are worth it where somebody waits, and not in the background.

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use crate::model::coverage::Coverage;
use crate::model::endpoint::{Family, Protocol};
use crate::model::event::TracedStateChange;
use crate::model::socket::{NetnsId, Socket, SocketId, SocketRef};
use crate::model::tcp_info::TcpDetail;
use crate::model::text::DisplayText;
use crate::model::units;
use crate::source::SourceError;
use crate::source::linux::byte_code::{ByteCode, FilterSupport};
use crate::source::linux::failed;
use crate::source::linux::halves;
use crate::source::linux::intake::DumpIntake;
use crate::source::linux::netlink::{Exchange, NetlinkSocket};
use crate::source::linux::query::{DumpPlan, PlannedDump};
use crate::source::linux::sock_diag::{self, DiagDecoder, DumpRequest, SocketLookup};
use crate::source::linux::threads;

/// Room for this many cookies is kept from sample to sample.
const SEEN_KEPT: usize = 16 * 1024;

/// By how many threads a large table is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpThreads {
    /// As little work as possible.
    One,
    /// As soon as possible, each thread a half: somebody waits for the sample.
    Two,
}

/// Open connections to `sock_diag`, all in one network namespace.
#[derive(Debug)]
pub struct Dumper {
    connection: NetlinkSocket,
    /// For the other half of a large table.
    second: SecondConnection,
    decoder: DiagDecoder,
    /// Tables that the kernel refuses, and why: for good, so that identities do not change from sample to sample.
    refused: Vec<((Protocol, Family), Errno)>,
    /// The kernel does not give both families in one dump.
    separately: bool,
    /// What programs the kernel runs, as far as it was asked.
    filters: FilterSupport,
    /// Whether the kernel may have MPTCP sockets, as far as it was asked.
    mptcp: Mptcp,
    /// Cookies of this sample; kept for its memory.
    seen: FxHashSet<u64>,
    /// For so many of them room is kept.
    seen_kept: usize,
}

/// What is known of the kernel's MPTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mptcp {
    /// It has it, as far as is known.
    There,
    /// It was built without.
    Absent,
    /// It does not list the sockets.
    Refused(Errno),
}

impl Mptcp {
    /// Where the kernel was built without it there is no such directory, and asking would make it look for a module.
    fn of_kernel() -> Self {
        let is_there = |path: &str| std::fs::exists(path).unwrap_or(false);
        if is_there("/proc/sys/net") && !is_there("/proc/sys/net/mptcp") { Self::Absent } else { Self::There }
    }
}

/// A connection for a second thread.
#[derive(Debug)]
enum SecondConnection {
    /// No table was large enough yet.
    NotOpened,
    Open(NetlinkSocket),
    /// There is no core for a second thread, or the kernel takes no filter, or no connection is to be had.
    Useless,
}

impl SecondConnection {
    /// The connection, opened when it is first needed: in the namespace of the calling thread.
    fn opened(&mut self) -> Option<&mut NetlinkSocket> {
        if matches!(self, Self::NotOpened) {
            let connection = (threads::cores() > 1).then(NetlinkSocket::open).and_then(Result::ok);
            *self = connection.map_or(Self::Useless, Self::Open);
        }
        match self {
            Self::Open(connection) => Some(connection),
            Self::NotOpened | Self::Useless => None,
        }
    }
}

/// Whether `sock_diag` answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpAnswer {
    /// It did, as far as the coverage says.
    Given,
    /// It refuses this table for good.
    Refused(Errno),
}

impl Dumper {
    /// Opens `sock_diag` and asks it a small question, so that a refusal shows now.
    pub fn open(netns: NetnsId) -> Result<Self, Errno> {
        let mut connection = NetlinkSocket::open()?;
        let decoder = DiagDecoder { netns };
        let probe = decoder.dump(&mut connection, DumpRequest::LISTENERS, drop);
        if let Some(error) = probe.refusal() {
            return Err(error);
        }
        Ok(Self {
            connection,
            second: SecondConnection::NotOpened,
            decoder,
            refused: Vec::new(),
            separately: false,
            filters: FilterSupport::All,
            mptcp: Mptcp::of_kernel(),
            seen: FxHashSet::default(),
            seen_kept: SEEN_KEPT,
        })
    }

    /// Reads `netns` over a connection that was opened in it, which no thread of another namespace could do.
    pub fn over(connection: NetlinkSocket, netns: NetnsId) -> Self {
        let decoder = DiagDecoder { netns };
        Self {
            connection,
            second: SecondConnection::Useless,
            decoder,
            refused: Vec::new(),
            separately: false,
            filters: FilterSupport::All,
            mptcp: Mptcp::of_kernel(),
            seen: FxHashSet::default(),
            // There may be hundreds of namespaces.
            seen_kept: 0,
        }
    }

    /// The name of an interface in the namespace of the connection.
    pub fn interface_name(&self, index: u32) -> Option<DisplayText> {
        self.connection.interface_name(index)
    }

    /// Takes in the sockets that `planned` asks for.
    pub fn read(
        &mut self,
        planned: &PlannedDump,
        threads: DumpThreads,
        intake: &mut DumpIntake<'_>,
        coverage: &mut Coverage,
    ) -> Result<DumpAnswer, SourceError> {
        if let Some(error) = self.refusal(planned) {
            return Ok(DumpAnswer::Refused(error));
        }
        let (request, exchange) = self.exchange(planned, threads, intake);
        if let Some(error) = exchange.refusal() {
            if request.family.is_none() {
                self.separately = true;
                return Ok(DumpAnswer::Refused(error));
            }
            if is_for_good(error) {
                request.family.into_iter().for_each(|family| self.refuse((request.protocol, family), error));
                return Ok(DumpAnswer::Refused(error));
            }
            return Err(not_listed(request, error));
        }
        coverage.records_skipped = coverage.records_skipped.saturating_add(exchange.skipped);
        coverage.degraded.extend(flaw(request, exchange).map(|sentence| DisplayText::new(&sentence)));
        Ok(DumpAnswer::Given)
    }

    /// About so many of the first sockets that `planned` asks for; none where the kernel does not answer.
    pub fn first_of(&mut self, planned: &PlannedDump, most: u32) -> Vec<Socket> {
        let mut first = Vec::new();
        if self.refusal(planned).is_none() {
            let filter = ByteCode::of(&planned.test, self.filters);
            let request = planned.request(filter.as_ref());
            self.decoder.dump_at_most(&mut self.connection, request, most, |socket| first.push(socket));
        }
        first
    }

    /// Why the kernel is not asked for what `planned` asks for, if it refused that before.
    fn refusal(&self, planned: &PlannedDump) -> Option<Errno> {
        let is_of = |(protocol, family): (Protocol, Family)| {
            protocol == planned.protocol && planned.family.is_none_or(|planned| planned == family)
        };
        let of_table = self.refused.iter().find(|(table, _)| is_of(*table)).map(|(_, error)| *error);
        of_table.or((self.separately && planned.family.is_none()).then_some(Errno::OPNOTSUPP))
    }

    /// Dumps what `planned` asks for, with less of a filter where the kernel does not run it. The request is the one that was
    /// answered, without its filter.
    fn exchange(
        &mut self,
        planned: &PlannedDump,
        threads: DumpThreads,
        intake: &mut DumpIntake<'_>,
    ) -> (DumpRequest<'static>, Exchange) {
        loop {
            let filter = ByteCode::of(&planned.test, self.filters);
            let is_halved = threads == DumpThreads::Two && halves::are_worth_it(planned);
            let in_halves = if is_halved { self.read_in_halves(planned, intake) } else { None };
            let exchange = in_halves
                .unwrap_or_else(|| dump(self.decoder, &mut self.connection, planned.request(filter.as_ref()), intake));
            if filter.is_none() || exchange.refusal() != Some(Errno::INVAL) {
                return (planned.request(None), exchange);
            }
            self.filters = self.filters.less();
        }
    }

    /// Asks the kernel for this table no more.
    pub(super) fn refuse(&mut self, table: (Protocol, Family), error: Errno) {
        self.refused.push((table, error));
    }

    /// Takes in what `planned` asks for, each half by a thread of its own: the first half comes first. `None`, and nothing is
    /// taken in, where that cannot be had.
    fn read_in_halves(&mut self, planned: &PlannedDump, intake: &mut DumpIntake<'_>) -> Option<Exchange> {
        if self.filters == FilterSupport::None {
            return None;
        }
        self.second.opened()?;
        let before = intake.mark();
        let both = self.dump_halves(&halves::of(planned), intake)?;
        if both.refusal().is_some() {
            intake.rewind(before);
            if both.refusal() == Some(Errno::INVAL) {
                // Most likely it does not take the program: never again.
                self.second = SecondConnection::Useless;
            }
            return None;
        }
        Some(both)
    }

    fn dump_halves(&mut self, halves: &[PlannedDump; 2], intake: &mut DumpIntake<'_>) -> Option<Exchange> {
        let second = self.second.opened()?;
        let [here_filter, there_filter] = halves.each_ref().map(|half| ByteCode::of(&half.test, self.filters));
        let [here, there] = halves;
        let (here, there) = (here.request(here_filter.as_ref()), there.request(there_filter.as_ref()));
        let (decoder, connection) = (self.decoder, &mut self.connection);
        // In one piece, and more than is needed, which is not touched: a list that grows leaves holes behind, and glibc
        // takes the size of what it gives back to the system (up to 32 MiB) as that of what it need not in future.
        let mut others = Vec::with_capacity(intake.sockets.capacity());
        let (plan, held) = (intake.plan(), intake.held());
        let dump_there = || {
            let mut intake = DumpIntake::all(&mut others).of_plan(plan).of_held(held);
            dump(decoder, second, there, &mut intake)
        };
        let (here, there) = threads::both(|| dump(decoder, connection, here, intake), dump_there);
        intake.append(&mut others);
        Some(here.and(there))
    }

    /// A dump is no snapshot: a socket that moves within the kernel's table can come twice.
    pub fn drop_repeated(&mut self, sockets: &mut Vec<Socket>) {
        self.seen.reserve(sockets.len());
        sockets.retain(|socket| socket.id.cookie().is_none_or(|cookie| self.seen.insert(cookie)));
        self.seen.clear();
        self.seen.shrink_to(self.seen_kept);
    }

    /// Whether this socket still has an inode, so that something holds it; `None` where the kernel does not say.
    pub fn is_held(&mut self, socket: &Socket) -> Option<bool> {
        sock_diag::is_held(&mut self.connection, &socket.reference())
    }

    /// Whether there may be MPTCP connections, so that only the `tcp_info` of TCP sockets tells which of them carry one.
    pub fn may_have_mptcp_connections(&mut self) -> bool {
        let mut may_have = |request: DumpRequest<'_>| {
            let request = DumpRequest { states: request.states & !sock_diag::LISTENERS, ..request };
            let exchange = self.decoder.dump(&mut self.connection, request, drop);
            exchange.messages > 0 || exchange.error.is_some()
        };
        self.mptcp != Mptcp::Absent && DumpRequest::MPTCP.into_iter().any(&mut may_have)
    }

    /// Takes in the MPTCP sockets that `plan` asks for. Where their subflows stand in the intake already, all of them are
    /// taken in. What carries MPTCP connections that the kernel does not list is said in `coverage`.
    ///
    /// The listening ones are walked for only where a subflow listens: that walk takes most of a millisecond, however few
    /// there are, the others a thirtieth of that.
    pub fn read_mptcp(
        &mut self,
        plan: &DumpPlan,
        intake: &mut DumpIntake<'_>,
        coverage: &mut Coverage,
    ) -> Result<(), SourceError> {
        let carries = |listen: bool| move |socket: &Socket| socket.is_subflow && socket.is_listener() == listen;
        let (listens, connects) = (intake.sockets.iter().any(carries(true)), intake.sockets.iter().any(carries(false)));
        let mut states = if listens || connects { sock_diag::STATES_ALL } else { plan.mptcp };
        if !listens && plan.has_all_listeners() {
            states &= !sock_diag::LISTENERS;
        }
        for request in DumpRequest::MPTCP {
            if self.mptcp != Mptcp::There || states == 0 {
                break;
            }
            let request = DumpRequest { states, ..request };
            let exchange = dump(self.decoder, &mut self.connection, request, intake);
            match exchange.refusal() {
                Some(error) if is_for_good(error) || error == Errno::INVAL => self.mptcp = Mptcp::Refused(error),
                Some(error) => return Err(not_listed(request, error)),
                None => {
                    coverage.records_skipped = coverage.records_skipped.saturating_add(exchange.skipped);
                    coverage.degraded.extend(flaw(request, exchange).map(|sentence| DisplayText::new(&sentence)));
                }
            }
        }
        if let Mptcp::Refused(error) = self.mptcp {
            let subflows = intake.sockets.iter().filter(|socket| socket.is_subflow).count();
            coverage.degraded.extend(unlisted_mptcp(subflows, error).map(|sentence| DisplayText::new(&sentence)));
        }
        Ok(())
    }

    /// What is said to who asks for MPTCP connections, where the kernel has some and was found not to list them.
    pub fn unlisted_mptcp(&self) -> Option<DisplayText> {
        let Mptcp::Refused(error) = self.mptcp else { return None };
        Some(DisplayText::new(&format!("the kernel does not list MPTCP connections ({error}); {LOADS_MPTCP}")))
    }

    /// Looks for each of `wanted`: those found are appended to `sockets`, those that are no more to `gone`.
    pub fn look_up(&mut self, wanted: &[SocketRef], sockets: &mut Vec<Socket>, gone: &mut Vec<SocketId>) {
        for reference in wanted {
            match self.decoder.look_up(&mut self.connection, reference) {
                SocketLookup::Here(socket) => sockets.push(*socket),
                SocketLookup::Gone => gone.push(reference.id),
                SocketLookup::Unknown => {}
                // Each silence of the kernel takes seconds.
                SocketLookup::Failed(_) => return,
            }
        }
    }

    /// Looks for what is left of connections whose full sockets were freed. A mini-socket that had no cookie when its full
    /// socket was freed has another one now: it is found by its endpoints.
    pub fn look_up_ended(&mut self, ended: &[SocketRef], sockets: &mut Vec<Socket>, gone: &mut Vec<SocketId>) {
        for reference in ended {
            match self.decoder.look_up_endpoints(&mut self.connection, reference) {
                SocketLookup::Here(socket) => {
                    if socket.id != reference.id {
                        gone.push(reference.id);
                    }
                    sockets.push(*socket);
                }
                SocketLookup::Gone => gone.push(reference.id),
                SocketLookup::Unknown => {}
                SocketLookup::Failed(_) => return,
            }
        }
    }

    /// Looks for the sockets that changes of state were told of: those found are appended to `sockets`. Gives the changes
    /// whose socket was not found; `None` where the kernel does not answer.
    pub fn look_up_changed(
        &mut self,
        changes: &[TracedStateChange],
        sockets: &mut Vec<Socket>,
    ) -> Option<Vec<TracedStateChange>> {
        let mut unfound = Vec::new();
        for change in changes {
            match self.decoder.look_up_changed(&mut self.connection, change) {
                SocketLookup::Here(socket) => sockets.push(*socket),
                SocketLookup::Gone | SocketLookup::Unknown => unfound.push(*change),
                SocketLookup::Failed(_) => return None,
            }
        }
        Some(unfound)
    }

    /// Completes `sockets`, which were dumped without it, by their `tcp_info`: each is looked for by itself.
    pub fn complete(&mut self, sockets: &mut [Socket]) {
        let has_one = |socket: &&mut Socket| {
            socket.protocol == Protocol::Tcp
                && socket.tcp.is_none()
                && socket.inode.is_some()
                && !socket.remote.is_unset()
        };
        for socket in sockets.iter_mut().filter(has_one) {
            if let SocketLookup::Here(found) = self.decoder.look_up(&mut self.connection, &socket.reference()) {
                *socket = *found;
            }
        }
    }

    /// Whether the kernel answers for every table.
    pub fn has_all_tables(&self) -> bool {
        self.refused.is_empty()
    }

    /// The details of those of `wanted` that are still there.
    pub fn details(&mut self, wanted: &[SocketRef]) -> Vec<(SocketId, TcpDetail)> {
        let look_up = |socket: &SocketRef| Some((socket.id, sock_diag::look_up(&mut self.connection, socket)?));
        wanted.iter().filter_map(look_up).collect()
    }
}

/// One dump, repeated once if the kernel says that it went wrong: a sink knows what it has seen.
fn dump(
    decoder: DiagDecoder,
    connection: &mut NetlinkSocket,
    request: DumpRequest<'_>,
    intake: &mut DumpIntake<'_>,
) -> Exchange {
    let before = intake.mark();
    let exchange = dump_once(decoder, connection, request, intake);
    if exchange.refusal().is_some_and(is_for_good) || (exchange.error.is_none() && !exchange.interrupted) {
        return exchange;
    }
    intake.rewind(before);
    dump_once(decoder, connection, request, intake)
}

fn dump_once(
    decoder: DiagDecoder,
    connection: &mut NetlinkSocket,
    request: DumpRequest<'_>,
    intake: &mut DumpIntake<'_>,
) -> Exchange {
    connection.dump(request.kind(), &request.encode(), |payload, moment| {
        if intake.skips(sock_diag::inode(payload)) {
            return true;
        }
        decoder.decode(payload, request.protocol, moment).map(|socket| intake.push(socket)).is_some()
    })
}

/// Whether asking again would fail, too: the module is missing, or policy forbids it.
fn is_for_good(error: Errno) -> bool {
    let missing = [Errno::NOENT, Errno::OPNOTSUPP, Errno::PROTONOSUPPORT, Errno::AFNOSUPPORT, Errno::NOSYS];
    missing.contains(&error) || [Errno::PERM, Errno::ACCESS].contains(&error)
}

fn not_listed(request: DumpRequest<'_>, error: Errno) -> SourceError {
    failed(&format!("the kernel did not list its {request} sockets ({error})"))
}

/// What helps where MPTCP connections are not listed.
const LOADS_MPTCP: &str = "modprobe mptcp_diag loads what lists them (Linux 5.9 and later)";

/// That so many TCP sockets carry MPTCP connections that the kernel does not list.
fn unlisted_mptcp(subflows: usize, error: Errno) -> Option<String> {
    (subflows > 0).then(|| {
        format!(
            "the kernel does not list the MPTCP connections over {}, nor their states, queues and owners ({error}); \
             {LOADS_MPTCP}",
            units::counted(subflows as u64, "TCP socket")
        )
    })
}

/// What is wrong with the answer to `request`, as a sentence.
fn flaw(request: DumpRequest<'_>, exchange: Exchange) -> Option<String> {
    let what = match exchange {
        Exchange { error: Some(error), .. } => format!("broke off ({error})"),
        Exchange { truncated: true, .. } => "did not fit the buffer".to_owned(),
        Exchange { interrupted: true, .. } => "changed while it was read".to_owned(),
        _ => return None,
    };
    Some(format!("the kernel's list of {request} sockets {what}; some may be missing"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::snapshot::Scope;
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::tcp;

    #[test]
    fn both_families_come_in_one_dump() {
        let mut dumper = Dumper::open(NetnsId(1)).expect("sock_diag");
        let listeners =
            ["127.0.0.1:0", "[::1]:0"].map(|address| std::net::TcpListener::bind(address).expect("loopback"));
        let plan = DumpPlan::of_scope(Scope::tcp(&[TcpState::Listen]));
        let [planned] = &plan.dumps[..] else { panic!("one dump: {plan:?}") };
        let read = |dumper: &mut Dumper, planned: &PlannedDump| {
            let mut sockets = Vec::new();
            let intake = &mut DumpIntake::all(&mut sockets);
            let answer = dumper.read(planned, DumpThreads::One, intake, &mut Coverage::default()).expect("sock_diag");
            assert!((answer == DumpAnswer::Given) != (planned.family.is_none() && dumper.separately));
            let has = |listener: &std::net::TcpListener| {
                let local = listener.local_addr().expect("bound");
                sockets.iter().any(|socket| socket.local == Endpoint::new(local.ip(), local.port()))
            };
            (listeners.iter().all(has), sockets.iter().all(Socket::is_listener))
        };
        assert_eq!(read(&mut dumper, planned), (true, true));
        assert!(!dumper.separately, "the kernel takes the request");
        let (ipv4, _) = planned.apart().next().expect("two families");
        assert_eq!(read(&mut dumper, &ipv4), (false, true), "the other one is missing");
        dumper.separately = true;
        assert_eq!(read(&mut dumper, planned), (false, true), "nothing is asked");
    }

    #[test]
    fn a_kernel_that_does_not_list_mptcp_is_named_to_who_asks_for_it() {
        let mut dumper = Dumper::open(NetnsId(1)).expect("sock_diag");
        dumper.mptcp = Mptcp::There;
        assert_eq!(dumper.unlisted_mptcp(), None);
        // Linux 5.6 to 5.8 have MPTCP and no mptcp_diag: the answer to a dump is ENOENT.
        dumper.mptcp = Mptcp::Refused(Errno::NOENT);
        let said = dumper.unlisted_mptcp().expect("it is refused");
        assert!(said.as_str().contains("does not list MPTCP") && said.as_str().contains("Linux 5.9"), "{said}");
        let subflow = Socket { is_subflow: true, ..tcp(1).build() };
        let (mut sockets, mut coverage) = (vec![subflow], Coverage::default());
        let plan = DumpPlan::everything();
        dumper.read_mptcp(&plan, &mut DumpIntake::all(&mut sockets), &mut coverage).expect("it is not asked");
        assert!(coverage.degraded.iter().any(|sentence| {
            sentence.as_str().starts_with("the kernel does not list the MPTCP connections over 1 TCP socket, nor")
        }));
    }

    #[test]
    fn every_flaw_of_an_answer_is_said() {
        let request = DumpRequest::LISTENERS;
        assert_eq!(flaw(request, Exchange { messages: 3, skipped: 1, ..Exchange::default() }), None);
        let broken = Exchange { messages: 3, error: Some(Errno::NOBUFS), ..Exchange::default() };
        assert!(flaw(request, broken).is_some_and(|text| text.contains("IPv4 TCP") && text.contains("broke off")));
        assert!(flaw(request, Exchange { truncated: true, ..Exchange::default() }).is_some());
        assert!(flaw(request, Exchange { interrupted: true, ..Exchange::default() }).is_some());
    }

    #[test]
    fn a_missing_module_is_for_good_and_a_full_table_of_descriptors_is_not() {
        assert!([Errno::NOENT, Errno::PERM, Errno::PROTONOSUPPORT].into_iter().all(is_for_good));
        assert!(![Errno::MFILE, Errno::NOBUFS, Errno::AGAIN].into_iter().any(is_for_good));
    }
}
