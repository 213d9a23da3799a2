//! What a network namespace has beside its sockets: interfaces, with what they counted, and routes.

use crate::model::interface::Interface;
use crate::model::route::Route;
use crate::model::text::DisplayText;

/// What is known at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The interfaces, in the kernel's order.
    pub interfaces: Vec<NetworkInterface>,
    /// The routes of the table `main`, in the kernel's order, IPv4 first.
    pub routes: Vec<Route>,
    /// Interfaces or routes are missing, because there are too many.
    pub is_cut: bool,
    /// One sentence for each thing that could not be read.
    pub degraded: Vec<DisplayText>,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInterface {
    /// Its number in the namespace.
    pub index: u32,
    /// Its name, and what it counted.
    pub counted: Interface,
    /// The largest packet that it takes, in bytes; `None` where the kernel does not say.
    pub mtu_bytes: Option<u32>,
    /// Whether it works.
    pub state: LinkState,
    /// How fast the line is, in Mbit/s; `None` where there is none, or where nobody says.
    pub speed_megabits: Option<u32>,
}

/// Whether an interface works (`ifOperStatus` of RFC 2863, `IF_OPER_*` of `include/uapi/linux/if.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Its driver does not say: loopback and most tunnels.
    #[default]
    Unknown,
    /// A part of it is missing.
    NotPresent,
    /// It is down.
    Down,
    /// The interface below it is down.
    LowerLayerDown,
    /// It is being tested.
    Testing,
    /// It waits, for example for authentication.
    Dormant,
    /// It works.
    Up,
}

impl LinkState {
    /// The state of this number; what is not known is [`Unknown`](Self::Unknown).
    pub const fn from_kernel(number: u8) -> Self {
        match number {
            1 => Self::NotPresent,
            2 => Self::Down,
            3 => Self::LowerLayerDown,
            4 => Self::Testing,
            5 => Self::Dormant,
            6 => Self::Up,
            _ => Self::Unknown,
        }
    }

    /// As `ip link` names it, in small letters.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::NotPresent => "not present",
            Self::Down => "down",
            Self::LowerLayerDown => "lower down",
            Self::Testing => "testing",
            Self::Dormant => "dormant",
            Self::Up => "up",
        }
    }
}
