//! The diagram of TCP states as data: nodes and edges, and two drawings of them.
//!
//! Source: RFC 9293, section 3.3.2, figure 5, under Linux's names. Left is who closes first (and who was called), right is
//! who calls (and who is closed upon). The end is drawn as a node of its own, so that every path runs downward.

use crate::model::tcp_state::TcpState;

/// A node of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiagramNode {
    /// No connection yet.
    Start,
    /// A state.
    In(TcpState),
    /// No connection any more.
    End,
}

impl DiagramNode {
    /// The text in the node.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start | Self::End => "CLOSED",
            Self::In(state) => state.name(),
        }
    }
}

/// A transition from one state to another: the event, and the action that TCP takes.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// The node it starts at.
    pub from: DiagramNode,
    /// The node it leads to.
    pub to: DiagramNode,
    /// The event that causes it.
    pub event: &'static str,
    /// The action that TCP takes; empty for none.
    pub action: &'static str,
}

use TcpState::{CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent, TimeWait};

const fn at(state: TcpState) -> DiagramNode {
    DiagramNode::In(state)
}

/// The edges of the figure that lead on. Those that lead back (a listener that is closed, a handshake that is given up) and
/// a reset, which ends any state, are not drawn.
#[rustfmt::skip]
pub const EDGES: [Edge; 16] = [
    Edge { from: DiagramNode::Start,     to: at(Listen),      event: "passive OPEN",    action: "" },
    Edge { from: DiagramNode::Start,     to: at(SynSent),     event: "active OPEN",     action: "snd SYN" },
    Edge { from: at(Listen),      to: at(SynRecv),     event: "rcv SYN",         action: "snd SYN,ACK" },
    Edge { from: at(Listen),      to: at(SynSent),     event: "SEND",            action: "snd SYN" },
    Edge { from: at(SynSent),     to: at(SynRecv),     event: "rcv SYN",         action: "snd SYN,ACK" },
    Edge { from: at(SynRecv),     to: at(Established), event: "rcv ACK of SYN",  action: "" },
    Edge { from: at(SynSent),     to: at(Established), event: "rcv SYN,ACK",     action: "snd ACK" },
    Edge { from: at(SynRecv),     to: at(FinWait1),    event: "CLOSE",           action: "snd FIN" },
    Edge { from: at(Established), to: at(FinWait1),    event: "CLOSE",           action: "snd FIN" },
    Edge { from: at(Established), to: at(CloseWait),   event: "rcv FIN",         action: "snd ACK" },
    Edge { from: at(FinWait1),    to: at(FinWait2),    event: "rcv ACK of FIN",  action: "" },
    Edge { from: at(FinWait1),    to: at(Closing),     event: "rcv FIN",         action: "snd ACK" },
    Edge { from: at(CloseWait),   to: at(LastAck),     event: "CLOSE",           action: "snd FIN" },
    Edge { from: at(FinWait2),    to: at(TimeWait),    event: "rcv FIN",         action: "snd ACK" },
    Edge { from: at(Closing),     to: at(TimeWait),    event: "rcv ACK of FIN",  action: "" },
    Edge { from: at(LastAck),     to: DiagramNode::End,       event: "rcv ACK of FIN",  action: "" },
];

/// The one edge that a time-out takes.
pub const TIMEOUT: Edge = Edge { from: at(TimeWait), to: DiagramNode::End, event: "60 s (2 MSL)", action: "" };

/// The edge between two nodes.
pub fn edge(from: DiagramNode, to: DiagramNode) -> Option<&'static Edge> {
    EDGES.iter().chain([&TIMEOUT]).find(|edge| edge.from == from && edge.to == to)
}

/// A column and a row, in cells.
pub type Cell = (u16, u16);

/// The line of an edge, from its node to its node; corners between.
#[derive(Debug)]
pub struct Wire {
    /// The node it starts at.
    pub from: DiagramNode,
    /// The node it leads to.
    pub to: DiagramNode,
    /// Its points: each lies in one row or one column with the next.
    pub points: &'static [Cell],
    /// Whether its last point is the head of an arrow.
    pub arrow: bool,
    /// Where its words stand, if they have a place.
    pub words: Option<Words>,
}

/// Where the words of an edge stand.
#[derive(Clone, Copy, Debug)]
pub enum Words {
    /// `event / action` from here.
    From(Cell),
    /// `event / action` up to here.
    UpTo(Cell),
}

/// A way to draw the diagram.
#[derive(Debug)]
pub struct Drawing {
    /// Its width in cells.
    pub width: u16,
    /// Its height in lines.
    pub height: u16,
    /// The width of the box of each node; 0 where there are none.
    pub box_width: u16,
    /// Where the middle of each node's name is.
    pub nodes: &'static [(DiagramNode, Cell)],
    /// The edges.
    pub wires: &'static [Wire],
}

const fn wire(from: DiagramNode, to: DiagramNode, points: &'static [Cell]) -> Wire {
    Wire { from, to, points, arrow: false, words: None }
}

const fn arrow(from: DiagramNode, to: DiagramNode, points: &'static [Cell], words: Words) -> Wire {
    Wire { from, to, points, arrow: true, words: Some(words) }
}

/// For columns of some 50 cells: names and lines; the ways that Linux takes.
#[rustfmt::skip]
pub static COMPACT: Drawing = Drawing {
    width: 52,
    height: 15,
    box_width: 0,
    nodes: &[
        (DiagramNode::Start, (25, 0)),
        (at(Listen), (11, 2)), (at(SynSent), (39, 2)),
        (at(SynRecv), (11, 4)),
        (at(Established), (25, 6)),
        (at(FinWait1), (11, 8)), (at(CloseWait), (39, 8)),
        (at(FinWait2), (5, 10)), (at(Closing), (22, 10)), (at(LastAck), (39, 10)),
        (at(TimeWait), (11, 12)),
        (DiagramNode::End, (25, 14)),
    ],
    wires: &[
        wire(DiagramNode::Start, at(Listen),         &[(25, 0), (25, 1), (11, 1), (11, 2)]),
        wire(DiagramNode::Start, at(SynSent),        &[(25, 0), (25, 1), (39, 1), (39, 2)]),
        wire(at(Listen), at(SynRecv),         &[(11, 2), (11, 4)]),
        wire(at(SynRecv), at(Established),    &[(11, 4), (11, 5), (25, 5), (25, 6)]),
        wire(at(SynSent), at(Established),    &[(39, 2), (39, 5), (25, 5), (25, 6)]),
        wire(at(Established), at(FinWait1),   &[(25, 6), (25, 7), (11, 7), (11, 8)]),
        wire(at(Established), at(CloseWait),  &[(25, 6), (25, 7), (39, 7), (39, 8)]),
        wire(at(FinWait1), at(FinWait2),      &[(11, 8), (11, 9), (5, 9), (5, 10)]),
        wire(at(FinWait1), at(Closing),       &[(11, 8), (11, 9), (22, 9), (22, 10)]),
        wire(at(CloseWait), at(LastAck),      &[(39, 8), (39, 10)]),
        wire(at(FinWait2), at(TimeWait),      &[(5, 10), (5, 11), (11, 11), (11, 12)]),
        wire(at(Closing), at(TimeWait),       &[(22, 10), (22, 11), (11, 11), (11, 12)]),
        wire(at(LastAck), DiagramNode::End,          &[(39, 10), (39, 13), (25, 13), (25, 14)]),
        wire(at(TimeWait), DiagramNode::End,         &[(11, 12), (11, 13), (25, 13), (25, 14)]),
    ],
};

/// For columns of 64 cells and tall screens: boxes, every edge, and its words.
#[rustfmt::skip]
pub static FULL: Drawing = Drawing {
    width: 64,
    height: 39,
    box_width: 20,
    nodes: &[
        (DiagramNode::Start, (32, 1)),
        (at(Listen), (10, 7)), (at(SynSent), (54, 7)),
        (at(SynRecv), (10, 12)),
        (at(Established), (32, 18)),
        (at(FinWait1), (10, 24)), (at(CloseWait), (54, 24)),
        (at(FinWait2), (10, 29)), (at(Closing), (32, 29)), (at(LastAck), (54, 29)),
        (at(TimeWait), (10, 34)),
        (DiagramNode::End, (32, 37)),
    ],
    wires: &[
        arrow(DiagramNode::Start, at(Listen),        &[(32, 2), (32, 3), (10, 3), (10, 5)],    Words::From((12, 4))),
        arrow(DiagramNode::Start, at(SynSent),       &[(32, 2), (32, 3), (54, 3), (54, 5)],    Words::UpTo((52, 4))),
        arrow(at(Listen), at(SynSent),        &[(19, 7), (43, 7)],                      Words::From((25, 6))),
        arrow(at(Listen), at(SynRecv),        &[(10, 8), (10, 10)],                     Words::From((12, 9))),
        arrow(at(SynSent), at(SynRecv),       &[(54, 8), (54, 12), (20, 12)],           Words::From((22, 11))),
        arrow(at(SynRecv), at(Established),   &[(10, 13), (10, 15), (32, 15), (32, 16)], Words::From((12, 14))),
        arrow(at(SynSent), at(Established),   &[(54, 8), (54, 15), (32, 15), (32, 16)], Words::UpTo((52, 14))),
        arrow(at(SynRecv), at(FinWait1),      &[(2, 13), (2, 22)],                      Words::From((4, 18))),
        arrow(at(Established), at(FinWait1),  &[(32, 19), (32, 20), (10, 20), (10, 22)], Words::From((12, 21))),
        arrow(at(Established), at(CloseWait), &[(32, 19), (32, 20), (54, 20), (54, 22)], Words::UpTo((52, 21))),
        arrow(at(FinWait1), at(FinWait2),     &[(10, 25), (10, 27)],                    Words::From((12, 26))),
        arrow(at(FinWait1), at(Closing),      &[(19, 24), (32, 24), (32, 27)],          Words::From((22, 23))),
        arrow(at(CloseWait), at(LastAck),     &[(54, 25), (54, 27)],                    Words::UpTo((52, 26))),
        arrow(at(FinWait2), at(TimeWait),     &[(10, 30), (10, 32)],                    Words::From((12, 31))),
        arrow(at(Closing), at(TimeWait),      &[(32, 30), (32, 34), (20, 34)],          Words::From((34, 32))),
        arrow(at(LastAck), DiagramNode::End,         &[(54, 30), (54, 37), (42, 37)],          Words::UpTo((52, 35))),
        arrow(at(TimeWait), DiagramNode::End,        &[(10, 35), (10, 37), (21, 37)],          Words::From((4, 38))),
    ],
};

/// The largest drawing for a column of `width` on a body of `height` lines; `None` where a line of words is to do.
pub fn drawing(width: u16, height: u16) -> Option<&'static Drawing> {
    let fits = |drawing: &&Drawing| drawing.width <= width && drawing.height + 4 <= height;
    [&FULL, &COMPACT].into_iter().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tcp_state::{Phase, STATES};

    #[test]
    fn edges_are_those_that_the_table_of_states_knows() {
        for edge in &EDGES {
            if let (DiagramNode::In(from), DiagramNode::In(to)) = (edge.from, edge.to) {
                // A listener stays one: what comes in by it is a new socket.
                assert!(from == Listen || from.leads_to(to), "{from} -> {to}");
            }
        }
        for row in STATES.iter().filter(|row| row.state.phase() != Phase::Idle) {
            assert!(EDGES.iter().any(|edge| edge.to == at(row.state)), "no way leads to {}", row.name);
        }
    }

    #[test]
    fn a_drawing_has_every_state_and_only_lines_of_known_edges() {
        for drawing in [&COMPACT, &FULL] {
            for row in STATES.iter().filter(|row| row.state.phase() != Phase::Idle) {
                assert!(drawing.nodes.iter().any(|(node, _)| *node == at(row.state)), "{} is missing", row.name);
            }
            for wire in drawing.wires {
                assert!(edge(wire.from, wire.to).is_some(), "{:?} -> {:?}", wire.from, wire.to);
                for pair in wire.points.windows(2) {
                    assert!(pair[0].0 == pair[1].0 || pair[0].1 == pair[1].1, "a slanted line: {pair:?}");
                }
                assert!(wire.points.iter().all(|&(x, y)| x < drawing.width && y < drawing.height), "{wire:?}");
            }
        }
        assert_eq!(FULL.wires.len(), EDGES.len() + 1, "the full drawing has every edge");
    }
}
