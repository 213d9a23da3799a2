//! The classes of port numbers (RFC 6335, section 6).

/// The class of a port number. Which ports clients really take is the kernel's choice, see `ip_local_port_range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortClass {
    /// 0 to 1023, "system ports": binding takes a privilege on most systems.
    WellKnown,
    /// 1024 to 49151, "user ports".
    Registered,
    /// 49152 to 65535, "private ports": for clients, by IANA.
    Dynamic,
}

impl PortClass {
    /// The class of `port`.
    pub const fn of(port: u16) -> Self {
        match port {
            0..=1023 => Self::WellKnown,
            1024..=49151 => Self::Registered,
            49152..=65535 => Self::Dynamic,
        }
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WellKnown => "well-known",
            Self::Registered => "registered",
            Self::Dynamic => "dynamic",
        }
    }

    /// The first and the last port of the class.
    pub const fn range(self) -> (u16, u16) {
        match self {
            Self::WellKnown => (0, 1023),
            Self::Registered => (1024, 49151),
            Self::Dynamic => (49152, 65535),
        }
    }

    /// One sentence on the class.
    pub const fn about(self) -> &'static str {
        match self {
            Self::WellKnown => "Reserved for standard services; binding to one takes a privilege.",
            Self::Registered => "For services registered with IANA; any user may bind to them.",
            Self::Dynamic => {
                "Never assigned; for the client's end of a connection, though Linux uses 32768 to 60999 by default."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_has_the_class_whose_range_holds_it() {
        for port in 0..=u16::MAX {
            let (first, last) = PortClass::of(port).range();
            assert!((first..=last).contains(&port), "{port}");
        }
    }
}
