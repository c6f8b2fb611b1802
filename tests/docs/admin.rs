//! The admin port of a gate that has seen the simulated incident for an hour and a half: its answer is the one that the
//! report's own tests hold a gate to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};

const REPORT: &str = include_str!("../data/report/churn_by_metric.json");

/// A port that answers as far as `report` asks; lives as long as the test.
pub fn port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = BufReader::new(stream.try_clone().expect("cloned")).lines().map_while(Result::ok);
            let asked = head.next().unwrap_or_default();
            head.take_while(|line| !line.is_empty()).for_each(drop);
            let (status, body) = match asked.split(' ').nth(1) {
                Some("/api/v1/churn?by=metric&limit=3") => ("200 OK", REPORT),
                Some("/api/v1/rejected?limit=3") => ("200 OK", "{\"rows_total\":0,\"rows\":[]}"),
                _ => ("404 Not Found", ""),
            };
            let length = body.len();
            let sent = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
                content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            sent.expect("sent");
        }
    });
    address
}
