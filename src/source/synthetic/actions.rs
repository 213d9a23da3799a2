//! What is done to the made-up machine: processes that were ended and sockets that were closed leave its samples. Nothing of the
//! real machine is touched.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashSet;

use crate::model::endpoint::Protocol;
use crate::model::process::{Holders, Owner, ProcessId};
use crate::model::socket::{Socket, SocketId};
use crate::model::tcp_state::TcpState;

/// So many actions wait for the next sample at most; more are refused.
const WAITING_MAX: usize = 256;

/// One thing that is done to the made-up machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeUpAction {
    /// This process ends.
    End(ProcessId),
    /// This socket is closed.
    Close(SocketId),
}

/// A handle on the made-up machine: what is asked by it shows in the next sample.
#[derive(Clone, Debug, Default)]
pub struct MadeUpMachine(Arc<Mutex<Vec<MadeUpAction>>>);

impl MadeUpMachine {
    /// Asks for `action`; answers whether there was room for it.
    pub fn act(&self, action: MadeUpAction) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = waiting.len() < WAITING_MAX;
        if has_room {
            waiting.push(action);
        }
        has_room
    }

    /// What was asked for since the last call.
    pub(super) fn take(&self) -> Vec<MadeUpAction> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Who has ended and what is closed.
#[derive(Debug, Default)]
pub(super) struct MadeUpEnds {
    processes: FxHashSet<ProcessId>,
    /// Sockets that were closed or whose process has ended, as long as the actors go on with them.
    sockets: FxHashSet<SocketId>,
}

impl MadeUpEnds {
    /// Takes in what was done.
    pub(super) fn take_in(&mut self, actions: Vec<MadeUpAction>) {
        for action in actions {
            match action {
                MadeUpAction::End(process) => drop(self.processes.insert(process)),
                MadeUpAction::Close(socket) => drop(self.sockets.insert(socket)),
            }
        }
    }

    /// Takes out of `sockets`, which are all that the actors have, those that are gone.
    pub(super) fn leave_out(&mut self, sockets: &mut Vec<Socket>) {
        if self.processes.is_empty() && self.sockets.is_empty() {
            return;
        }
        let mut gone = FxHashSet::default();
        let mut orphaned_ports = FxHashSet::default();
        let mut live_ports = FxHashSet::default();
        for socket in sockets.iter_mut() {
            let is_gone = self.sockets.contains(&socket.id) || !self.leave_to_others(socket);
            if is_gone {
                gone.insert(socket.id);
            }
            if socket.state == TcpState::Listen {
                let ports = if is_gone { &mut orphaned_ports } else { &mut live_ports };
                ports.insert(socket.local.port);
            }
        }
        // Whoever waited to be accepted is reset with the last listener at the port.
        let waits = |socket: &Socket| matches!(socket.owner, Owner::Unaccepted) || socket.state == TcpState::SynRecv;
        let has_lost = |port: &u16| orphaned_ports.contains(port) && !live_ports.contains(port);
        let reset = sockets.iter().filter(|socket| socket.protocol == Protocol::Tcp && waits(socket));
        gone.extend(reset.filter(|socket| has_lost(&socket.local.port)).map(|socket| socket.id));
        sockets.retain(|socket| !gone.contains(&socket.id));
        self.sockets = gone;
    }

    /// Takes the processes that have ended from the holders of `socket`; `false`: nobody is left.
    fn leave_to_others(&self, socket: &mut Socket) -> bool {
        let Owner::Live(holders) = &socket.owner else { return true };
        let all = holders.all();
        if !all.iter().any(|process| self.processes.contains(&process.id)) {
            return true;
        }
        let left = all.iter().filter(|process| !self.processes.contains(&process.id)).cloned().collect();
        let Some(left) = Holders::new(left) else { return false };
        socket.owner = Owner::Live(Arc::new(left));
        true
    }
}
