mod any_text;

use super::*;
use crate::policy::MatchOp;

/// The tree in parentheses, as far as it matters.
fn shown(expr: &Expr) -> String {
    let labels = |labels: &[String]| labels.join(" ");
    let keep = |keep: &Option<Keep>, words: [&str; 2]| match keep {
        None => String::new(),
        Some(Keep::These(these)) => format!(" {}({})", words[0], labels(these)),
        Some(Keep::Others(others)) => format!(" {}({})", words[1], labels(others)),
    };
    match expr {
        Expr::Number(number) => number.to_string(),
        Expr::Text(text) => format!("{text:?}"),
        Expr::Selector(selector) => selected(selector),
        Expr::Range { of, subquery } => format!("{}[{}]", shown(of), if *subquery { ":" } else { "" }),
        Expr::Negated(of) => format!("-{}", shown(of)),
        Expr::Binary(binary) => {
            let group = binary
                .group
                .as_ref()
                .map(|(left, taken)| format!(" {}({})", if *left { "left" } else { "right" }, labels(taken)));
            let op = match binary.op {
                Operator::Or => "or",
                Operator::And => "and",
                Operator::Unless => "unless",
                Operator::Power => "^",
                Operator::Compare(op) | Operator::Sum(op) | Operator::Product(op) => op,
            };
            format!(
                "({} {op}{}{}{} {})",
                shown(&binary.left),
                if binary.boolean { " bool" } else { "" },
                keep(&binary.matching, ["on", "ignoring"]),
                group.unwrap_or_default(),
                shown(&binary.right)
            )
        }
        Expr::Aggregate(aggregate) => format!(
            "{}{}({}{})",
            aggregate.op,
            keep(&aggregate.keep, [" by", " without"]).replace("  ", " "),
            aggregate.parameter.as_ref().map(|parameter| shown(parameter) + ", ").unwrap_or_default(),
            shown(&aggregate.of)
        ),
        Expr::Call(call) => {
            format!("{}({})", call.function, call.arguments.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
    }
}

fn selected(selector: &Selector) -> String {
    let op = |op| match op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    let list = |matchers: &Vec<crate::policy::Matcher>| {
        matchers.iter().map(|m| format!("{}{}{}", m.name, op(m.op), m.value)).collect::<Vec<_>>().join(",")
    };
    let all: Vec<String> = selector.alternatives.iter().map(list).filter(|list| !list.is_empty()).collect();
    let braces = if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(" or ")) };
    format!("{}{braces}", selector.name.as_deref().unwrap_or_default())
}

fn read(text: &str) -> String {
    shown(&parse(text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}")))
}

#[test]
fn expressions_are_read_as_prometheus_reads_them() {
    for (text, expected) in [
        // selectors
        ("up", "up"),
        ("job:up:sum", "job:up:sum"),
        (":up", ":up"),
        (r#"up{job="a",env!~'b|c',}"#, "up{job=a,env!~b|c}"),
        ("up{}", "up"),
        (r#"{job="a"}"#, "{job=a}"),
        (r#"{"my.metric", "label.name"=`v`}"#, "my.metric{label.name=v}"),
        (r#"{__name__=~"a.+", __name__!="ab"}"#, "{__name__=~a.+,__name__!=ab}"),
        (r#"{a="b" or c="d", e!=""}"#, "{a=b or c=d,e!=}"),
        (r#"x{a="\"\\\n\x41\101é\U0001F600"}"#, "x{a=\"\\\nAA\u{e9}\u{1F600}}"),
        (r#"x{by="1", on="2", offset="3", sum="4"}"#, "x{by=1,on=2,offset=3,sum=4}"),
        // words of the language are names where nothing else can stand
        ("sum", "sum"),
        ("offset", "offset"),
        ("on + by", "(on + by)"),
        ("bottomk offset 5m", "bottomk"),
        // numbers
        ("1.5e3", "1500"),
        (".5", "0.5"),
        ("1.", "1"),
        ("0x1F", "31"),
        ("1_000", "1000"),
        ("+Inf", "inf"),
        ("-inf", "-inf"),
        ("NaN", "NaN"),
        ("1h30m", "5400"),
        ("5ms", "0.005"),
        ("-2 ^ 2", "-(2 ^ 2)"),
        ("--2", "2"),
        // texts
        ("label_replace(x, \"a\", '$1', `b`, \"(.*)\")", r#"label_replace(x, "a", "$1", "b", "(.*)")"#),
        // ranges, offsets, times
        ("x[5m]", "x[]"),
        ("x[5m] offset 1h", "x[]"),
        ("x offset -1h30m", "x"),
        ("x @ 1609746000 offset 5m", "x"),
        ("x[5m] @ start()", "x[]"),
        ("x @ end() ", "x"),
        ("x @ -1.5", "x"),
        ("x[300]", "x[]"),
        ("max_over_time(rate(x[5m])[1h:])", "max_over_time(rate(x[])[:])"),
        ("max_over_time(x[1h:1m] offset 1d)", "max_over_time(x[:])"),
        ("rate(x[5m + 1m * 2])", "rate(x[])"),
        ("rate(x[5m] smoothed)", "rate(x[])"),
        ("x[5m:step()]", "x[:]"),
        // operators
        ("a + b * c ^ d ^ e", "(a + (b * (c ^ (d ^ e))))"),
        ("a - b - c", "((a - b) - c)"),
        ("a or b and c unless d", "(a or ((b and c) unless d))"),
        ("a == b + 1 > 2", "((a == (b + 1)) > 2)"),
        ("a AND b OR c", "((a and b) or c)"),
        ("-a * b", "(-a * b)"),
        ("-a ^ b", "-(a ^ b)"),
        ("2 ^ -1", "(2 ^ -1)"),
        ("a atan2 b % c", "((a atan2 b) % c)"),
        ("a > bool 0", "(a > bool 0)"),
        ("1 == bool 2", "(1 == bool 2)"),
        ("a / on (x, y) group_left (z) b", "(a / on(x y) left(z) b)"),
        ("a / ignoring (x) group_right b", "(a / ignoring(x) right() b)"),
        ("a * on () b", "(a * on() b)"),
        ("a + fill(0) b", "(a + b)"),
        ("a + on (x) fill_left(1) fill_right(2) b", "(a + on(x) b)"),
        ("a + fill", "(a + fill)"),
        ("(a + b) * c", "((a + b) * c)"),
        ("a > 5m", "(a > 300)"),
        // aggregations
        ("sum(x)", "sum(x)"),
        ("SUM(x)", "sum(x)"),
        ("sum by (a, b) (x)", "sum by(a b)(x)"),
        ("sum (x) by (a)", "sum by(a)(x)"),
        ("sum without () (x)", "sum without()(x)"),
        ("sum by (\"a.b\", c,) (x)", "sum by(a.b c)(x)"),
        ("topk(3, x) without (a)", "topk without(a)(3, x)"),
        ("quantile by (a) (0.9, x)", "quantile by(a)(0.9, x)"),
        ("count_values(\"v\", x)", "count_values(\"v\", x)"),
        ("limit_ratio(-0.5, x)", "limit_ratio(-0.5, x)"),
        // calls
        ("time()", "time()"),
        ("hour()", "hour()"),
        ("hour(x)", "hour(x)"),
        ("round(x, 5)", "round(x, 5)"),
        ("vector(scalar(x) * 2)", "vector((scalar(x) * 2))"),
        ("label_join(x, \"d\", \"-\")", "label_join(x, \"d\", \"-\")"),
        ("sort_by_label(x, \"a\", \"b\", \"c\")", "sort_by_label(x, \"a\", \"b\", \"c\")"),
        ("info(rate(x[5m]), {a=~\".+\"})", "info(rate(x[]), {a=~.+})"),
        (
            "histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))",
            "histogram_quantile(0.9, sum by(le)(rate(x_bucket[])))",
        ),
        ("quantile_over_time(0.5, x[5m])", "quantile_over_time(0.5, x[])"),
        // comments and lines
        ("# all\nsum( # of\n\tx # this\r\n)# end", "sum(x)"),
        ("x{a='#'} # '", "x{a=#}"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn rules_as_clusters_have_them_are_read() {
    for text in [
        "sum by (namespace) (rate(container_cpu_usage_seconds_total{container!=\"\", image!=\"\"}[5m]))\n  / on (namespace) group_left ()\nsum by (namespace) (kube_resourcequota{resource=\"requests.cpu\", type=\"hard\"} > 0) * 100 > 90",
        "(time() - kube_job_status_start_time{job=~\".+\"}\n  and kube_job_status_active{job=~\".+\"} > 0) > 43200",
        "1 - (\n  sum without (mode) (rate(node_cpu_seconds_total{mode=~\"idle|iowait|steal\"}[4m]))\n) / ignoring (mode) group_left\ncount without (cpu, mode) (node_cpu_seconds_total{mode=\"idle\"}) or vector(0)",
        "histogram_quantile(0.99, sum by (le, job) (irate(apiserver_request_duration_seconds_bucket{verb!~\"WATCH|CONNECT\"}[5m]))) > 4 and on () absent(maintenance == 1)",
        "predict_linear(node_filesystem_avail_bytes{fstype!~\"tmpfs|overlay\"}[6h], 4 * 60 * 60) < 0 unless on (instance, device) node_filesystem_readonly == 1",
        "label_replace(kube_pod_owner{owner_kind=\"ReplicaSet\"}, \"workload\", \"$1\", \"owner_name\", \"(.+)-[a-z0-9]+$\") * on (namespace, pod) group_left (node) topk by (namespace, pod) (1, max by (namespace, pod, node) (kube_pod_info{node!=\"\"}))",
        "max_over_time(sum by (job) (up{job=\"api\"})[30m:1m] offset 1w) - avg_over_time((count(up == 1) or vector(0))[1d:5m])",
        "changes(process_start_time_seconds[15m]) > 2 or resets(http_requests_total{code=~\"5..\"}[1h] @ end()) > bool 1",
        "absent_over_time(up{job=\"prometheus\"}[10m]) == 1 and hour() >= 8 < 18 and day_of_week() != 0",
    ] {
        read(text);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, offset, message) in [
        ("", 0, "expected an expression, found the end"),
        ("# nothing", 9, "expected an expression"),
        ("sum(", 4, "expected an expression"),
        ("sum(x", 3, "the `(` is not closed"),
        ("(x", 0, "the `(` is not closed"),
        ("x[5m", 1, "the `[` is not closed"),
        ("x{a=\"b\"", 1, "the `{` is not closed"),
        ("sum by (a", 7, "the `(` is not closed"),
        ("x)", 1, "expected an operator or the end, found `)`"),
        ("x y", 2, "expected an operator or the end, found `y`"),
        ("x && y", 2, "expected `and`, `or` or `unless`"),
        ("x || y", 2, "expected `and`, `or` or `unless`"),
        ("x ! y", 2, "expected `!=` or `!~`"),
        ("x = 1", 2, "expected an operator or the end, found `=`"),
        ("x + ", 4, "expected an expression"),
        ("x == = 1", 5, "expected an expression, found `=`"),
        ("$x", 0, "'$' means nothing here"),
        ("é", 0, "'é' means nothing here"),
        ("x{a}", 3, "expected `=`, `!=`, `=~` or `!~`, found `}`"),
        ("x{a=b}", 4, "expected a quoted value, found `b`"),
        ("x{a=\"b}", 4, "the quote is not closed"),
        ("x{a=\"\\d\"}", 5, "unknown escape"),
        ("x{a=~\"(\"}", 5, "the regex of `a`: missing closing )"),
        ("x{,}", 2, "expected a label name or `}`"),
        ("x{a:b=\"c\"}", 2, "expected a label name or `}`"),
        ("x{\"y\"}", 2, "the metric name is given twice"),
        ("x{__name__=\"y\"}", 0, "the metric name is given twice"),
        ("sum by (a:b) (x)", 8, "expected a label name or `)`"),
        ("sum by a (x)", 7, "expected `(`, found `a`"),
        ("rat(x[5m])", 0, "PromQL has no function `rat`"),
        ("summ by (a) (x)", 0, "PromQL has no aggregation `summ`"),
        ("1 > 2", 2, "a comparison of two numbers needs `bool`"),
        ("x + bool 1", 2, "`bool` belongs to comparisons"),
        ("x and 1", 2, "between instant vectors"),
        ("x * on (a) 2", 2, "`on` and `ignoring` are for operators between instant vectors"),
        ("x and on (a) group_left y", 2, "are not for `and`"),
        ("x * on (a) group_left (a) y", 2, "a label cannot be in `on` and in the group"),
        ("x * group_left (a) y", 4, "PromQL has no function `group_left`"),
        ("x[5m] + 1", 6, "not a range vector"),
        ("-\"a\"", 0, "a text has no sign"),
        ("x[y]", 2, "expected a duration such as `5m`"),
        ("x[]", 2, "expected an expression"),
        ("x offset y", 9, "expected a duration or a time"),
        ("label_replace(x, 1, \"a\", \"b\", \"c\")", 17, "takes a text here, not a number"),
        ("1h5d", 0, "`1h5d` is no number and no duration"),
        ("1h5", 0, "`1h5` is no number and no duration"),
        ("1__0", 0, "is no number"),
        ("0xg", 0, "is no number"),
        ("1.2.3", 0, "is no number"),
    ] {
        let refusal = parse(text).expect_err(text);
        assert_eq!((refusal.offset, refusal.because), (offset, Because::Syntax), "{text}: {refusal:?}");
        assert!(refusal.message.contains(message), "{text}: {refusal:?}");
    }
}

#[test]
fn metricsql_is_told_from_mistakes() {
    for text in [
        "WITH (a = x) a + 1",
        "x default 0",
        "x if y > 0",
        "sum(x ifnot y)",
        "rate(x[5m]) keep_metric_names",
        "sum(x) by (a) limit 5",
        "rate(x)",
        "sum(rate(x[5m]), y)",
        "sum(x[5m])",
        "increase_pure(x[5m])",
        "median by (a) (x)",
        "median(x)",
        "range_median(x)",
        "label_set(x, \"a\", \"b\")",
        "quantiles_over_time(\"q\", 0.5, x[5m])",
        "x > 5Ki",
        "x > 10MB",
        "x[1.5h]",
        "x[5i]",
        "{}",
        "x{} * on (a) group_left (*) y",
        "sum(x,)",
        "(x + y)[5m]",
        "sum(x) offset 5m",
        "abs(1)",
    ] {
        let refusal = parse(text).expect_err(text);
        assert_eq!(refusal.because, Because::MetricsQl, "{text}: {refusal:?}");
    }
}

#[test]
fn hostile_depth_is_a_limit() {
    let deep = |text: String| {
        let parse = move || parse(&text).map(drop).map_err(|refusal| refusal.because);
        std::thread::Builder::new().stack_size(256 << 20).spawn(parse).unwrap().join().unwrap()
    };
    assert_eq!(deep(format!("{}x{}", "(".repeat(3_000), ")".repeat(3_000))), Ok(()));
    assert_eq!(deep(format!("1{}", "+1".repeat(15_000))), Ok(()));
    assert_eq!(deep(format!("{}1", "-".repeat(30_000))), Ok(()));
    assert_eq!(deep("(".repeat(60_000)), Err(Because::Limit));
    assert_eq!(deep("abs(".repeat(15_000)), Err(Because::Limit));
    assert_eq!(deep(format!("2{}", "^2".repeat(30_000))), Err(Because::Limit));
    assert_eq!(deep("x".repeat(70_000)), Err(Because::Limit));
}
