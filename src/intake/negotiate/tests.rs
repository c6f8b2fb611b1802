//! Which headers are accepted, and what is kept of them.

use super::*;

fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
    list.iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn refused_as(list: &[(&'static str, &str)]) -> Option<Undecodable> {
    check_format(&headers(list)).err().map(|refusal| refusal.reason)
}

#[test]
fn what_senders_of_version_one_send_is_accepted() {
    for content_type in [
        "application/x-protobuf",
        "Application/X-Protobuf",
        " application/x-protobuf ",
        "application/x-protobuf;proto=prometheus.WriteRequest",
        "application/x-protobuf ; Proto = \"prometheus.WriteRequest\" ; charset=utf-8",
    ] {
        assert_eq!(refused_as(&[("content-type", content_type)]), None, "{content_type}");
    }
    assert_eq!(refused_as(&[]), None);
    assert_eq!(refused_as(&[("content-encoding", "Snappy")]), None);
    assert_eq!(refused_as(&[("x-prometheus-remote-write-version", "2.0.0")]), None);
}

#[test]
fn other_types_and_encodings_are_refused() {
    for content_type in ["application/json", "application/x-protobuf;proto=io.prometheus.write.v9.Request"] {
        assert_eq!(
            refused_as(&[("content-type", content_type)]),
            Some(Undecodable::ContentType),
            "{content_type}"
        );
    }
    for encoding in ["gzip", "deflate", "zstd, gzip", "snappy, gzip"] {
        assert_eq!(refused_as(&[("content-encoding", encoding)]), Some(Undecodable::ContentEncoding));
    }
}

#[test]
fn of_a_vague_type_the_body_tells_unless_a_browser_sent_it() {
    for content_type in
        ["text/plain; charset=utf-8", "application/octet-stream", "Application/vnd.google.protobuf"]
    {
        let format = check_format(&headers(&[("content-type", content_type)])).unwrap();
        assert_eq!(format, (Message::V1, Typed::Vague), "{content_type}");
        let by_a_page = [("content-type", content_type), ("origin", "null")];
        assert_eq!(refused_as(&by_a_page), Some(Undecodable::ContentType), "{content_type}");
    }
    assert_eq!(check_format(&headers(&[])).unwrap(), (Message::V1, Typed::Right));
}

#[test]
fn the_type_names_the_message() {
    for (content_type, message) in [
        ("application/x-protobuf", Message::V1),
        ("application/x-protobuf;proto=prometheus.WriteRequest", Message::V1),
        ("application/x-protobuf;proto=io.prometheus.write.v2.Request", Message::V2),
        ("Application/X-Protobuf ; Proto = \"io.prometheus.write.v2.Request\"", Message::V2),
    ] {
        let format = check_format(&headers(&[("content-type", content_type)])).unwrap();
        assert_eq!(format, (message, Typed::Right), "{content_type}");
    }
    let v3 = headers(&[("content-type", "application/x-protobuf;proto=io.prometheus.write.v3.Request")]);
    let refusal = check_format(&v3).unwrap_err();
    assert_eq!(refusal.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(refusal.text.contains("send proto=prometheus.WriteRequest or proto=io."), "{}", refusal.text);
}

#[test]
fn only_listed_headers_go_on() {
    let names = Names::new("x-team").unwrap();
    let kept = names.forwarded(&headers(&[
        ("x-scope-orgid", "a"),
        ("user-agent", "Prometheus/3"),
        ("authorization", "Bearer x"),
        ("cookie", "no"),
        ("accountid", "7"),
        ("x-greptime-db-name", "shop"),
        ("x-team", "b"),
        ("via", "1.1 nginx"),
    ]));
    let mut kept: Vec<_> = kept.keys().map(HeaderName::as_str).collect();
    kept.sort_unstable();
    assert_eq!(
        kept,
        ["accountid", "authorization", "user-agent", "via", "x-greptime-db-name", "x-scope-orgid", "x-team"]
    );
}

#[test]
fn a_tenant_is_short_text() {
    let names = Names::new("x-scope-orgid").unwrap();
    assert_eq!(names.tenant(&HeaderMap::new()).unwrap(), "");
    let long = "x".repeat(256);
    assert_eq!(names.tenant(&headers(&[("x-scope-orgid", &long)])).unwrap(), long);
    let longer = "x".repeat(257);
    assert!(names.tenant(&headers(&[("x-scope-orgid", &longer)])).is_err());
    let mut bad = HeaderMap::new();
    bad.insert("x-scope-orgid", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    assert_eq!(names.tenant(&bad).unwrap_err().status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_header_that_decides_where_data_lands_says_one_thing() {
    let names = Names::new("x-team").unwrap();
    let twice = |name: &'static str, values: [&'static str; 2]| {
        let mut headers = headers(&[("x-team", "a"), ("user-agent", "Prometheus/3")]);
        headers.remove(name);
        for value in values {
            headers.append(name, HeaderValue::from_static(value));
        }
        names.check_scope(&headers).map_err(|refusal| (refusal.status, refusal.reason, refusal.text))
    };
    for name in ["x-team", "x-scope-orgid", "thanos-tenant", "accountid", "projectid", "x-greptime-db-name"] {
        for values in [["a", "b"], ["", "b"], ["a", "A"]] {
            let (status, reason, text) = twice(name, values).unwrap_err();
            assert_eq!((status, reason), (StatusCode::BAD_REQUEST, Undecodable::Tenant), "{name} {values:?}");
            assert_eq!(text, format!("the header {name} came more than once, with different values"));
        }
        assert_eq!(twice(name, ["a", "a"]), Ok(()), "{name}");
    }
    assert_eq!(twice("user-agent", ["a", "b"]), Ok(()));
}
