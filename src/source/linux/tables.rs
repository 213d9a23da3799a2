//! The kernel's tables of sockets, read in one of two ways, and what to say when a part of them is missing.

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use crate::model::coverage::Coverage;
use crate::model::socket::{NetnsId, Socket, SocketId, SocketRef};
use crate::model::tcp_info::TcpDetail;
use crate::model::text::DisplayText;
use crate::source::SourceError;
use crate::source::linux::failed;
use crate::source::linux::netlink::{Connection, Exchange};
use crate::source::linux::sock_diag::{self, Decoder, DumpRequest};

/// Where sockets are read from.
#[derive(Debug)]
pub enum Tables {
    /// Netlink.
    SockDiag(SockDiag),
}

/// An open connection to `sock_diag`.
#[derive(Debug)]
pub struct SockDiag {
    connection: Connection,
    decoder: Decoder,
    /// Cookies of this dump; kept for its memory.
    seen: FxHashSet<u64>,
}

impl Tables {
    /// Opens `sock_diag` and asks it a small question, so that a refusal shows now.
    pub fn sock_diag(netns: NetnsId) -> Result<Self, SourceError> {
        let refused = |error: Errno| {
            failed(&format!(
                "the kernel refuses sock_diag ({error}); use --source procfs, or --source auto to fall back by itself"
            ))
        };
        let mut connection = Connection::open().map_err(refused)?;
        let decoder = Decoder { netns };
        let probe = decoder.dump(&mut connection, DumpRequest::LISTENERS, &mut Vec::new());
        match probe.refusal() {
            Some(error) => Err(refused(error)),
            None => Ok(Self::SockDiag(SockDiag { connection, decoder, seen: FxHashSet::default() })),
        }
    }

    /// Appends every socket to `sockets`; what is missing is said in `coverage`.
    pub fn read(&mut self, sockets: &mut Vec<Socket>, coverage: &mut Coverage) -> Result<(), SourceError> {
        match self {
            Self::SockDiag(diag) => diag.read(sockets, coverage),
        }
    }

    /// The details of those of `wanted` that are still there; nothing where the source has none.
    pub fn details(&mut self, wanted: &[SocketRef]) -> Vec<(SocketId, TcpDetail)> {
        match self {
            Self::SockDiag(SockDiag { connection, .. }) => {
                let look_up = |socket: &SocketRef| Some((socket.id, sock_diag::look_up(connection, socket)?));
                wanted.iter().filter_map(look_up).collect()
            }
        }
    }
}

impl SockDiag {
    fn read(&mut self, sockets: &mut Vec<Socket>, coverage: &mut Coverage) -> Result<(), SourceError> {
        for request in DumpRequest::everything() {
            let exchange = self.decoder.dump(&mut self.connection, request, sockets);
            coverage.records_skipped = coverage.records_skipped.saturating_add(exchange.skipped);
            coverage.degraded.extend(flaw(request, exchange).map(|sentence| DisplayText::new(&sentence)));
        }
        self.drop_repeated(sockets);
        Ok(())
    }

    /// A dump is no snapshot: a socket that moves within the kernel's table can come twice.
    fn drop_repeated(&mut self, sockets: &mut Vec<Socket>) {
        self.seen.clear();
        self.seen.reserve(sockets.len());
        sockets.retain(|socket| socket.id.cookie().is_none_or(|cookie| self.seen.insert(cookie)));
    }
}

/// What is wrong with the answer to `request`, as a sentence.
fn flaw(request: DumpRequest, exchange: Exchange) -> Option<String> {
    let table = format!("{} {}", request.family.name(), request.protocol.name());
    if let Some(error) = exchange.error {
        return Some(format!("the kernel broke off its list of {table} sockets ({error}); some may be missing"));
    }
    if exchange.truncated {
        return Some(format!("the kernel's list of {table} sockets did not fit; some are missing"));
    }
    exchange
        .interrupted
        .then(|| format!("the kernel's list of {table} sockets changed while it was read; some may be missing"))
}
