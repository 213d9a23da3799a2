//! Sorting in slices: what is to be sorted is turned into numbers that compare as the values do, sorted in short runs,
//! and the runs are merged. Each slice costs what the caller allows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use crate::table::order::Order;
use crate::table::value::{Value, compare_words};

/// The length of a run: a part of a frame's time to sort.
const RUN_LEN: usize = 4_096;
/// Known values: IPv4 addresses and all that is no address, then IPv6 addresses.
const FIRST: u8 = 0;
const SECOND: u8 = 1;
/// Words, until it is known how they compare.
const WORDS: u8 = 2;
/// Missing ones come last in both directions.
const MISSING: u8 = 3;

/// A value as a number of 128 bits: the upper half and the lower one, so that it need not stand at a multiple of 16 bytes.
type NumericValue = (u64, u64);

/// A value as numbers, and what decides between equal ones. Compares field by field, in the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SortEntry<T> {
    class: u8,
    value: NumericValue,
    port: u16,
    link: u32,
    tie: T,
}

/// A sort under way. Of equal values the one with the smaller `T` comes first, in both directions.
#[derive(Debug)]
pub(super) struct SlicedSort<T> {
    order: Order,
    words: FxHashMap<String, u32>,
    /// By number of a word: its place among all.
    ranks: Option<Vec<u32>>,
    places: Vec<SortEntry<T>>,
    /// How far the runs are sorted.
    sorted: usize,
    heads: BinaryHeap<Reverse<(SortEntry<T>, usize)>>,
    /// The places, in the order of what is at them.
    merged: Vec<u32>,
}

impl<T: Copy + Ord> SlicedSort<T> {
    /// A sort of about `len` things.
    pub(super) fn new(order: Order, len: usize) -> Self {
        Self {
            order,
            words: FxHashMap::default(),
            ranks: None,
            places: Vec::with_capacity(len),
            sorted: 0,
            heads: BinaryHeap::new(),
            merged: Vec::new(),
        }
    }

    /// One more to be sorted.
    pub(super) fn push(&mut self, value: &Value<'_>, tie: T) {
        let (class, value, port, link) = self.numbers(value);
        self.places.push(SortEntry { class, value, port, link, tie });
    }

    /// Sorts what has been pushed, as far as `steps` allows; answers whether all is in order.
    pub(super) fn advance(&mut self, steps: &mut usize) -> bool {
        while *steps > 0 {
            if self.sorted < self.places.len() {
                *steps = steps.saturating_sub(self.sort_run());
            } else if !self.merge(steps) {
                return true;
            }
        }
        false
    }

    /// Those that were pushed, in order.
    pub(super) fn into_order(self) -> impl Iterator<Item = T> {
        let Self { places, merged, .. } = self;
        merged.into_iter().map(move |at| places[at as usize].tie)
    }

    fn numbers(&mut self, value: &Value<'_>) -> (u8, NumericValue, u16, u32) {
        if value.is_missing() {
            return (MISSING, (0, 0), 0, 0);
        }
        if let Some(number) = value.scalar() {
            return (FIRST, (0, number), 0, 0);
        }
        let (addr, port) = match value {
            Value::Address(addr) => (addr, 0),
            Value::Endpoint(addr, port) => (addr, *port),
            value => return (WORDS, (0, self.number_of(&value.plain()).into()), 0, 0),
        };
        match addr.ip() {
            IpAddr::V4(ip) => (FIRST, (0, ip.to_bits().into()), port, addr.order()),
            IpAddr::V6(ip) => (SECOND, halves(ip.to_bits()), port, addr.order()),
        }
    }

    /// There are few different words (names of processes, of users, of services): they are compared once.
    fn number_of(&mut self, word: &str) -> u32 {
        if let Some(number) = self.words.get(word) {
            return *number;
        }
        let number = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.words.insert(word.to_owned(), number);
        number
    }

    /// Sorts the next run; answers how long it is.
    fn sort_run(&mut self) -> usize {
        let ranks = self.ranks.get_or_insert_with(|| ranks(&self.words));
        let begin = self.sorted;
        let end = (begin + RUN_LEN).min(self.places.len());
        let run = &mut self.places[begin..end];
        for place in run.iter_mut().filter(|place| place.class != MISSING) {
            if place.class == WORDS {
                let number = usize::try_from(place.value.1).unwrap_or(usize::MAX);
                (place.class, place.value) = (FIRST, (0, ranks.get(number).copied().unwrap_or(u32::MAX).into()));
            }
            if self.order == Order::Descending {
                (place.class, place.value) = (SECOND - place.class, (!place.value.0, !place.value.1));
                (place.port, place.link) = (!place.port, !place.link);
            }
        }
        run.sort_unstable();
        self.heads.push(Reverse((run[0], begin)));
        self.sorted = end;
        if end == self.places.len() {
            self.merged.reserve_exact(end);
        }
        end - begin
    }

    /// Takes the first of all runs, again and again; answers whether any is left.
    fn merge(&mut self, steps: &mut usize) -> bool {
        while *steps > 0 {
            let Some(mut head) = self.heads.peek_mut() else { return false };
            *steps -= 1;
            let Reverse((_, at)) = *head;
            self.merged.push(u32::try_from(at).expect("2^32 values do not fit into memory"));
            let next = at + 1;
            if next % RUN_LEN == 0 || next == self.places.len() {
                std::collections::binary_heap::PeekMut::pop(head);
            } else {
                *head = Reverse((self.places[next], next));
            }
        }
        true
    }
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
const fn halves(number: u128) -> NumericValue {
    ((number >> 64) as u64, number as u64)
}

fn ranks(words: &FxHashMap<String, u32>) -> Vec<u32> {
    let mut sorted: Vec<_> = words.iter().collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| compare_words(a, b));
    let mut ranks = vec![0; sorted.len()];
    for (rank, (_, number)) in (0..).zip(sorted) {
        ranks[*number as usize] = rank;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::address::Address;
    use crate::model::address_text::AddressText;
    use crate::model::process::Names;
    use crate::model::socket::NetnsId;
    use crate::model::tcp_state::TcpState;

    fn words() -> impl Strategy<Value = Value<'static>> {
        let word = proptest::sample::select(vec!["nginx", "Nginx", "NGINX", "n", "", "xterm", "Xorg", "ärger", "Ä"]);
        prop_oneof![word.prop_map(Value::Text), Just(Value::Missing), Just(Value::word("tcp"))]
    }

    fn endpoints() -> impl Strategy<Value = Value<'static>> {
        let addr = prop_oneof![
            any::<std::net::Ipv4Addr>().prop_map(IpAddr::V4),
            any::<std::net::Ipv6Addr>().prop_map(IpAddr::V6),
            any::<std::net::Ipv4Addr>().prop_map(|addr| IpAddr::V6(addr.to_ipv6_mapped())),
            Just(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
            Just(IpAddr::V6(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1))),
        ];
        let text = (addr, 0u32..3).prop_map(|(addr, link)| {
            let address = Address::bound(addr, std::num::NonZeroU32::new(link));
            AddressText::of(address, NetnsId(0), Box::leak(Box::new(Names::default())))
        });
        prop_oneof![(text, 0u16..3).prop_map(|(text, port)| Value::Endpoint(text, port)), Just(Value::Missing)]
    }

    fn numbers() -> impl Strategy<Value = Value<'static>> {
        let states = proptest::sample::select(vec![TcpState::Established, TcpState::Close, TcpState::Listen]);
        prop_oneof![
            (0u64..9).prop_map(Value::Count),
            any::<u64>().prop_map(Value::Bytes),
            (0u64..9).prop_map(|secs| Value::Span(Duration::from_secs(secs))),
            states.prop_map(Value::State),
            Just(Value::Missing),
        ]
    }

    fn columns() -> impl Strategy<Value = Vec<Value<'static>>> {
        use proptest::collection::vec;
        prop_oneof![vec(words(), 0..60), vec(endpoints(), 0..60), vec(numbers(), 0..60), vec(numbers(), 9_000..9_100)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn slices_sort_as_a_comparison_of_the_values_does(values in columns(), descending: bool, slice in 1usize..5_000) {
            let order = if descending { Order::Descending } else { Order::Ascending };
            let mut placing = SlicedSort::new(order, 0);
            values.iter().enumerate().for_each(|(tie, value)| placing.push(value, tie));
            while !placing.advance(&mut slice.clone()) {}
            let mut expected: Vec<usize> = (0..values.len()).collect();
            expected.sort_by(|a, b| values[*a].compare(&values[*b], order).then(a.cmp(b)));
            prop_assert_eq!(placing.into_order().collect::<Vec<_>>(), expected);
        }
    }
}
