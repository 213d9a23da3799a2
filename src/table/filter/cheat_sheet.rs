//! Filters to learn from. A test holds that each can be parsed.

/// A filter and what it finds.
pub const CHEAT_SHEET: [(&str, &str); 14] = [
    ("nginx", "process, user, address, state contain it"),
    ("443", "a port or a pid is it"),
    ("state:close-wait", "in this state; listen, time-wait, connected"),
    ("process:nginx pid:812", "both conditions"),
    ("lport:443 or rport:443", "either condition; port:443 is the same"),
    ("raddr:10.0.0.0/8", "a network; addr: is either end"),
    ("rport:8000-9000,443", "a range, or one of several"),
    ("!state:established", "not; also not ( … )"),
    ("age>5m", "longer in its state than that"),
    ("recvq>0 sendq>100k", "queues, in bytes"),
    ("unit:nginx.service", "a service or container"),
    ("/^worker-[0-9]+$/", "a regular expression"),
    ("user!=root", "known, and not this"),
    ("process:?", "what is not known"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::filter::Filter;

    #[test]
    fn every_filter_of_the_cheat_sheet_can_be_parsed_and_fits_the_help() {
        for (filter, about) in CHEAT_SHEET {
            assert!(Filter::parse(filter).is_ok(), "{filter}");
            assert!(filter.len() <= 24 && about.chars().count() <= 44, "{filter}: {about}");
        }
    }
}
