//! What addresses are called, as far as it is known now.

use std::net::IpAddr;

use crate::model::host_name::HostName;
use crate::model::recent::Recent;

/// The most names that are kept: those of some screens. Who asks for them remembers more.
const NAMES_MAX: usize = 1_024;

/// Names by address; hints, which decide nothing.
#[derive(Debug)]
pub struct HostNames(Recent<IpAddr, HostName>);

impl Default for HostNames {
    fn default() -> Self {
        Self(Recent::new(NAMES_MAX))
    }
}

impl HostNames {
    /// What `addr` is called; an IPv4 address written as an IPv6 one is called as the IPv4 one.
    pub fn get(&self, addr: IpAddr) -> Option<&HostName> {
        // Nobody pays who has not asked for names.
        if self.0.is_empty() { None } else { self.0.get(&addr.to_canonical()) }
    }

    /// Learns that `addr` is called `name`, or nothing any more; answers whether that is new.
    pub fn learn(&mut self, addr: IpAddr, name: Option<HostName>) -> bool {
        let addr = addr.to_canonical();
        if self.get(addr) == name.as_ref() {
            self.0.touch(&addr);
            return false;
        }
        match name {
            Some(name) => drop(self.0.insert(addr, name)),
            None => drop(self.0.remove(&addr)),
        }
        true
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_news_once_and_holds_for_the_address_however_it_is_written() {
        let addr = |text: &str| text.parse::<IpAddr>().expect("an address");
        let name = |text: &str| HostName::new(text.as_bytes());
        let mut names = HostNames::default();
        assert!(names.get(addr("8.8.8.8")).is_none() && !names.learn(addr("8.8.8.8"), None));
        assert!(names.learn(addr("::ffff:8.8.8.8"), name("dns.example")));
        assert!(!names.learn(addr("8.8.8.8"), name("dns.example")));
        assert_eq!(names.get(addr("::ffff:8.8.8.8")), name("dns.example").as_ref());
        assert!(names.learn(addr("8.8.8.8"), name("other.example")) && names.learn(addr("8.8.8.8"), None));
        assert_eq!(names.get(addr("8.8.8.8")), None);
    }
}
