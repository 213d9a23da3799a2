//! Clients that speak just enough HTTP.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// The longest that a client waits for anything.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Connects to a port of 127.0.0.1.
pub fn dial(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Asks for `path` over a connection and gives the status of the answer; its body is read.
pub fn ask(stream: &mut TcpStream, path: &str) -> Result<u16> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut more = vec![0; 65_536];
    loop {
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&answer[..head]).to_lowercase();
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let length = length.and_then(|length| length.trim().parse::<usize>().ok());
            if length.is_some_and(|length| answer.len() >= head + 4 + length) {
                return status(&text);
            }
        }
        match stream.read(&mut more)? {
            // Without a length the answer ends with the connection.
            0 => return status(&String::from_utf8_lossy(&answer)),
            read => answer.extend_from_slice(&more[..read]),
        }
    }
}

fn status(answer: &str) -> Result<u16> {
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| Error::new(ErrorKind::InvalidData, answer.to_owned()))
}

/// One request over a connection of its own.
pub fn get(port: u16, path: &str) -> Result<u16> {
    ask(&mut dial(port)?, path)
}

/// Clients that ask again and again until they are dropped.
pub struct HttpClients {
    rest: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Answers with status 200.
    pub good: Arc<AtomicU32>,
    /// Other answers, and none.
    pub bad: Arc<AtomicU32>,
}

impl HttpClients {
    /// So many of them on one port, each asking once in `every`; over one connection, or one for each request.
    pub fn new(number: usize, every: Duration, port: u16, path: &'static str, is_kept: bool) -> Self {
        let (rest, good, bad) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let thread = |_| {
            let (rest, good, bad) = (rest.clone(), good.clone(), bad.clone());
            std::thread::spawn(move || {
                let mut kept = None;
                while !rest.load(Relaxed) {
                    let next = Instant::now() + every;
                    let is_good = once(&mut kept, port, path).is_ok_and(|status| status == 200);
                    if is_good { &good } else { &bad }.fetch_add(1, Relaxed);
                    kept = kept.take().filter(|_| is_kept && is_good);
                    sleep(next.saturating_duration_since(Instant::now()));
                }
            })
        };
        let threads = (0..number).map(thread).collect();
        Self { rest, threads, good, bad }
    }

    /// Good and other answers until now.
    pub fn counts(&self) -> (u32, u32) {
        (self.good.load(Relaxed), self.bad.load(Relaxed))
    }
}

fn once(kept: &mut Option<TcpStream>, port: u16, path: &str) -> Result<u16> {
    let mut stream = kept.take().map_or_else(|| dial(port), Ok)?;
    let status = ask(&mut stream, path);
    *kept = Some(stream);
    status
}

impl Drop for HttpClients {
    fn drop(&mut self) {
        self.rest.store(true, Relaxed);
        // Those that wait for an answer are not waited for: they end with the test.
        self.threads.clear();
    }
}
