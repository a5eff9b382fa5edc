//! One line of an access log (Apache, nginx: common and combined), read as `amagasa.event.access` reads an ordinary one.
//! Whatever is not ordinary is `error.Odd`.

const std = @import("std");
const json = @import("json.zig");

/// The slots that a line fills, in this order from `first_slot` on.
pub const Part = enum(u16) {
    c_ip,
    cs_username,
    cs_request,
    cs_method,
    cs_uri,
    cs_uri_stem,
    cs_uri_query,
    cs_version,
    sc_status,
    sc_bytes,
    cs_referer,
    cs_user_agent,
};
pub const n_parts = 12;

const max_method = 32;
const max_stamp = 40;
const max_digits = 18;

/// `22/Dec/2026:10:00:00 +0900`, as servers write it unless they are told otherwise.
pub const stamp_bytes = 26;
const stamp_form = "00/aaa/0000:00:00:00 +0000";

pub const Reader = struct {
    line: []const u8,
    slots: *json.Slots,
    at: usize = 0,
    /// What stands between the brackets.
    stamp: []const u8 = "",

    pub fn record(self: *Reader) json.Error!void {
        self.slots.begin();
        const client = self.run(isAddress);
        if (client.len == 0) return error.Odd;
        self.set(.c_ip, client);
        try self.expect(" ");
        if (self.run(isWord).len == 0) return error.Odd;
        try self.expect(" ");
        const user = self.run(isWord);
        if (user.len == 0) return error.Odd;
        if (!std.mem.eql(u8, user, "-") and !std.mem.eql(u8, user, "\"-\"")) self.set(.cs_username, user);
        try self.expect(" [");
        const stamp = self.run(isStamp);
        if (stamp.len == 0 or stamp.len > max_stamp) return error.Odd;
        self.stamp = stamp;
        try self.expect("] \"");
        try self.request();
        try self.expect(" ");
        try self.numbers();
        try self.header(.cs_referer);
        try self.header(.cs_user_agent);
        if (self.at < self.line.len and self.line[self.at] != ' ') return error.Odd;
    }

    /// Method, path and query, version; up to the closing quote and with it.
    fn request(self: *Reader) json.Error!void {
        const begin = self.at;
        const method = self.run(isMethod);
        if (method.len == 0 or method.len > max_method) return error.Odd;
        self.set(.cs_method, method);
        try self.expect(" ");
        const uri = self.at;
        try self.unquoted(true);
        self.set(.cs_uri_stem, self.line[uri..self.at]);
        if (self.peek() == '?') {
            const query = self.at + 1;
            self.at += 1;
            try self.unquoted(false);
            self.set(.cs_uri_query, self.line[query..self.at]);
        }
        self.set(.cs_uri, self.line[uri..self.at]);
        try self.expect(" ");
        const version = self.at;
        try self.expect("HTTP/");
        try self.digit();
        if (self.peek() == '.') {
            self.at += 1;
            try self.digit();
        }
        self.set(.cs_version, self.line[version..self.at]);
        self.set(.cs_request, self.line[begin..self.at]);
        try self.expect("\"");
    }

    fn numbers(self: *Reader) json.Error!void {
        const begin = self.at;
        for (0..3) |_| try self.digit();
        try self.number(.sc_status, self.line[begin..self.at]);
        try self.expect(" ");
        if (self.peek() == '-') {
            self.at += 1;
            return;
        }
        const digits = self.run(std.ascii.isDigit);
        if (digits.len == 0 or digits.len > max_digits) return error.Odd;
        try self.number(.sc_bytes, digits);
    }

    /// A number as Python writes it.
    fn number(self: *Reader, part: Part, digits: []const u8) json.Error!void {
        if (digits.len > 1 and digits[0] == '0') return error.Odd;
        self.slots.set(@backingInt(part), .{ .kind = .integer, .bytes = digits });
    }

    /// ` "..."`, if it is there; a dash means that the client sent none.
    fn header(self: *Reader, part: Part) json.Error!void {
        if (self.at + 1 >= self.line.len or self.line[self.at] != ' ' or self.line[self.at + 1] != '"') return;
        const begin = self.at + 2;
        self.at = begin;
        while (self.peek() != '"') {
            if (self.at >= self.line.len) return error.Odd;
            if (self.line[self.at] == '\\') self.at += 1;
            self.at += 1;
            if (self.at > self.line.len) return error.Odd;
        }
        const value = self.line[begin..self.at];
        self.at += 1;
        if (!std.mem.eql(u8, value, "-")) self.set(part, value);
    }

    /// No blank, no quote; a backslash takes the next character with it, which is no blank.
    fn unquoted(self: *Reader, stops_at_mark: bool) json.Error!void {
        while (self.at < self.line.len) : (self.at += 1) {
            switch (self.line[self.at]) {
                ' ', '"' => return,
                '?' => if (stops_at_mark) return,
                '\\' => {
                    self.at += 1;
                    if (self.at >= self.line.len or self.line[self.at] == ' ') return error.Odd;
                },
                else => {},
            }
        }
    }

    fn set(self: *Reader, part: Part, bytes: []const u8) void {
        self.slots.set(@backingInt(part), .{ .kind = .text, .bytes = bytes });
    }

    fn run(self: *Reader, comptime isIn: fn (u8) bool) []const u8 {
        const begin = self.at;
        while (self.at < self.line.len and isIn(self.line[self.at])) self.at += 1;
        return self.line[begin..self.at];
    }

    fn digit(self: *Reader) json.Error!void {
        if (!std.ascii.isDigit(self.peek())) return error.Odd;
        self.at += 1;
    }

    fn peek(self: *const Reader) u8 {
        return if (self.at < self.line.len) self.line[self.at] else 0;
    }

    fn expect(self: *Reader, text: []const u8) json.Error!void {
        if (!std.mem.startsWith(u8, self.line[self.at..], text)) return error.Odd;
        self.at += text.len;
    }
};

fn isAddress(byte: u8) bool {
    return std.ascii.isAlphanumeric(byte) or switch (byte) {
        '_', '.', ':', '%', '-' => true,
        else => false,
    };
}

fn isMethod(byte: u8) bool {
    return std.ascii.isAlphanumeric(byte) or switch (byte) {
        '!', '#', '$', '%', '&', '\'', '*', '+', '.', '^', '_', '`', '|', '~', '-' => true,
        else => false,
    };
}

fn isWord(byte: u8) bool {
    return byte != ' ';
}

/// Of an ordinary stamp the day on the clock of whoever wrote it, and the offset of that clock, into `out`; null for any
/// other, and for times that no day has.
pub fn dayOf(stamp: []const u8, out: *[stamp_bytes - 8]u8) ?[]const u8 {
    if (stamp.len != stamp_bytes) return null;
    for (stamp, stamp_form) |byte, form| {
        const fits = switch (form) {
            '0' => std.ascii.isDigit(byte),
            'a' => std.ascii.isAlphabetic(byte),
            '+' => byte == '+' or byte == '-',
            else => byte == form,
        };
        if (!fits) return null;
    }
    if (!std.mem.lessThan(u8, stamp[12..14], "24") or stamp[15] > '5' or stamp[18] > '5') return null;
    out[0..12].* = stamp[0..12].*;
    out[12..].* = stamp[20..26].*;
    return out;
}

fn isStamp(byte: u8) bool {
    return byte != ']';
}

/// A request as `amagasa.event.decode` undoes its encodings, into `out` (as long as `uri`); null for what is left to it:
/// escapes of the log, entities, `%u`, and what does not come to rest in three passes.
pub fn decoded(uri: []const u8, out: []u8) ?[]u8 {
    var n: usize = 0;
    var is_query = false;
    for (uri) |byte| {
        if (byte == '\\') return null;
        is_query = is_query or byte == '?';
        out[n] = if (byte == '+' and is_query) ' ' else byte;
        n += 1;
    }
    for (0..3) |_| {
        var to: usize = 0;
        var i: usize = 0;
        while (i < n) {
            var byte = out[i];
            i += 1;
            if (byte == '%') {
                if (i < n and (out[i] | 0x20) == 'u') return null;
                if (i + 2 <= n and std.ascii.isHex(out[i]) and std.ascii.isHex(out[i + 1])) {
                    byte = std.fmt.parseInt(u8, out[i..][0..2], 16) catch return null;
                    i += 2;
                }
            }
            if (byte == 0xC0 or byte == 0xC1) return null;
            out[to] = byte;
            to += 1;
        }
        if (hasEntity(out[0..to])) return null;
        if (to == n) return out[0..n];
        n = to;
    }
    return null;
}

/// Whether there may be a reference to a character: an ampersand, and a semicolon soon behind it.
fn hasEntity(text: []const u8) bool {
    var at: usize = 0;
    while (std.mem.indexOfScalarPos(u8, text, at, '&')) |mark| : (at = mark + 1) {
        const near = text[mark + 1 .. @min(text.len, mark + 12)];
        if (std.mem.indexOfScalar(u8, near, ';') != null) return true;
    }
    return false;
}
