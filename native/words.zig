//! Words of records as 64-bit hashes, and filters of them: what lets a search pass by parts of the lake.
//! `event.words` says what a word is; both halves give the same hashes.

const std = @import("std");

const basis: u64 = 0xcbf29ce484222325;
const prime: u64 = 0x100000001b3;
const joiner: u64 = 0x9e3779b97f4a7c15;
const n_recent = 1024;
const n_pending = 64;
const max_labels = 3;
const none: u32 = 0xffff_ffff;

const Kind = enum(u8) { other, letter, high };

const kinds: [256]Kind = blk: {
    var made: [256]Kind = @splat(.other);
    for ('0'..'9' + 1) |at| made[at] = .letter;
    for ('a'..'z' + 1) |at| made[at] = .letter;
    for ('A'..'Z' + 1) |at| made[at] = .letter;
    for (0x80..0x100) |at| made[at] = .high;
    break :blk made;
};

fn hexOf(byte: u8) ?u21 {
    return switch (byte) {
        '0'...'9' => byte - '0',
        'a'...'f' => byte - 'a' + 10,
        'A'...'F' => byte - 'A' + 10,
        else => null,
    };
}

const folds: [256]u8 = blk: {
    var made: [256]u8 = undefined;
    for (0..256) |at| made[at] = if (at >= 'A' and at <= 'Z') at | 0x20 else at;
    break :blk made;
};

/// Spreads a hash over all bits (the finalizer of MurmurHash3); never 0.
fn mixed(hash: u64) u64 {
    var h = hash;
    h ^= h >> 33;
    h *%= 0xff51afd7ed558ccd;
    h ^= h >> 33;
    h *%= 0xc4ceb9fe1a85ec53;
    h ^= h >> 33;
    return if (h == 0) 1 else h;
}

const Words = struct {
    table: []u64,
    n: u32,
    is_full: bool = false,
    recent: [n_recent]u64 = @splat(0),
    // Hashes on their way into the table: asked for together, they wait for its memory once and not one after another.
    pending: [n_pending]u64 = undefined,
    n_waiting: usize = 0,
    before: u8 = 0,
    // The word at hand, and what it is without the two or three characters of an escape in front.
    word: u64 = basis,
    n_word: u32 = 0,
    skip: u32 = 0,
    other: u64 = basis,
    n_other: u32 = 0,
    // Labels before it, with a dot behind each; the first may have another form.
    labels: [max_labels]u64 = @splat(0),
    n_labels: u32 = 0,
    first_other: u64 = 0,
    has_first_other: bool = false,
    is_joined: bool = false,
    // Characters beyond ASCII: two that follow one another.
    one: u64 = basis,
    two: u64 = basis,
    is_in_high: bool = false,
    has_high_before: bool = false,

    fn put(self: *Words, hash: u64) void {
        const h = mixed(hash);
        const place = h >> 54;
        if (self.recent[place] == h) return;
        self.recent[place] = h;
        @prefetch(&self.table[@intCast(h & (self.table.len - 1))], .{ .rw = .write });
        self.pending[self.n_waiting] = h;
        self.n_waiting += 1;
        if (self.n_waiting == n_pending) self.settle();
    }

    fn settle(self: *Words) void {
        const waiting = self.pending[0..self.n_waiting];
        self.n_waiting = 0;
        for (waiting) |h| {
            if (self.is_full) return;
            self.insert(h);
        }
    }

    fn insert(self: *Words, h: u64) void {
        const mask = self.table.len - 1;
        var at: usize = @intCast(h & mask);
        while (self.table[at] != 0) : (at = (at + 1) & mask) {
            if (self.table[at] == h) return;
        }
        if (@as(usize, self.n) * 2 >= self.table.len) {
            self.is_full = true;
            return;
        }
        self.table[at] = h;
        self.n += 1;
    }

    fn feed(self: *Words, byte: u8, is_json: bool) void {
        switch (kinds[byte]) {
            .letter => {
                if (self.is_in_high) self.endHigh();
                if (self.n_word == 0) self.begin(byte, is_json);
                const folded = folds[byte];
                self.word = (self.word ^ folded) *% prime;
                if (self.skip != 0) self.step(byte, folded);
                self.n_word += 1;
            },
            .high => {
                if (self.n_word != 0) self.endWord();
                self.is_joined = false;
                self.n_labels = 0;
                if (byte >= 0xc0 or !self.is_in_high) self.beginHigh();
                self.one = (self.one ^ byte) *% prime;
                if (self.has_high_before) self.two = (self.two ^ byte) *% prime;
            },
            .other => {
                if (self.is_in_high) self.endHigh();
                const was_word = self.n_word != 0;
                if (was_word) self.endWord();
                self.is_joined = was_word and byte == '.';
                if (!self.is_joined) self.n_labels = 0;
            },
        }
        self.before = byte;
    }

    fn begin(self: *Words, byte: u8, is_json: bool) void {
        if (!self.is_joined) {
            self.n_labels = 0;
            self.has_first_other = false;
        }
        self.skip = 0;
        self.n_other = 0;
        if (self.before == '%') {
            self.skip = 2;
        } else if (!is_json and self.before == '\\' and (byte == 'x' or byte == 'X')) {
            self.skip = 3;
        }
    }

    fn step(self: *Words, byte: u8, folded: u8) void {
        if (self.n_word >= self.skip) {
            if (self.n_other == 0) self.other = basis;
            self.other = (self.other ^ folded) *% prime;
            self.n_other += 1;
        } else if (hexOf(byte) == null and !(self.skip == 3 and self.n_word == 0)) {
            self.skip = 0;
        }
    }

    fn endWord(self: *Words) void {
        if (self.n_word >= 2) self.put(self.word);
        if (self.n_other >= 2) self.put(self.other);
        var at: u32 = 0;
        while (at < self.n_labels) : (at += 1) {
            self.put(self.joined(at, self.labels[at]));
            if (at == 0 and self.has_first_other) self.put(self.joined(0, self.first_other));
        }
        self.push();
        self.word = basis;
        self.n_word = 0;
        self.skip = 0;
        self.n_other = 0;
    }

    fn joined(self: *Words, from: u32, first: u64) u64 {
        var h = first;
        var at = from + 1;
        while (at < self.n_labels) : (at += 1) h = (h *% joiner) ^ self.labels[at];
        return (h *% joiner) ^ self.word;
    }

    fn push(self: *Words) void {
        if (self.n_labels == 0) {
            self.has_first_other = self.n_other > 0;
            self.first_other = self.other;
        }
        if (self.n_labels == max_labels) {
            self.labels[0] = self.labels[1];
            self.labels[1] = self.labels[2];
            self.n_labels = max_labels - 1;
            self.has_first_other = false;
        }
        self.labels[self.n_labels] = self.word;
        self.n_labels += 1;
    }

    fn beginHigh(self: *Words) void {
        if (self.is_in_high) {
            if (self.has_high_before) self.put(self.two);
            self.two = self.one;
            self.has_high_before = true;
        }
        self.one = basis;
        self.is_in_high = true;
    }

    fn endHigh(self: *Words) void {
        if (self.has_high_before) self.put(self.two);
        self.is_in_high = false;
        self.has_high_before = false;
        self.one = basis;
    }

    fn end(self: *Words) void {
        self.feed('\n', false);
        self.settle();
        self.n_labels = 0;
        self.before = 0;
    }

    /// One code point of an escape, as UTF-8.
    fn feedPoint(self: *Words, point: u21) void {
        if (point < 0x80) return self.feed(@intCast(point), true);
        if (point < 0x800) {
            self.feed(@intCast(0xc0 | (point >> 6)), true);
        } else {
            self.feed(@intCast(0xe0 | (point >> 12)), true);
            self.feed(@intCast(0x80 | ((point >> 6) & 0x3f)), true);
        }
        self.feed(@intCast(0x80 | (point & 0x3f)), true);
    }
};

fn pointOf(data: []const u8) ?u21 {
    if (data.len < 4) return null;
    var point: u21 = 0;
    for (data[0..4]) |byte| point = point << 4 | (hexOf(byte) orelse return null);
    return point;
}

/// Adds the words of `data` to the table (a power of two of places, 0: free), which holds `n` already. How many it
/// holds now; `none` where it would be more than half full.
pub fn add(data: []const u8, is_json: bool, table: []u64, n: u32) u32 {
    var words: Words = .{ .table = table, .n = n };
    var at: usize = 0;
    while (at < data.len and !words.is_full) {
        const byte = data[at];
        if (kinds[byte] == .letter and words.n_word == 0 and !words.is_in_high) {
            // Nearly all of it: a run of letters, in registers.
            var hash = basis;
            var to = at;
            while (to < data.len and kinds[data[to]] == .letter) : (to += 1) hash = (hash ^ folds[data[to]]) *% prime;
            const is_plain = words.before != '%' and words.before != '\\';
            if (is_plain and (to == data.len or data[to] != '\\')) {
                if (!words.is_joined) {
                    words.n_labels = 0;
                    words.has_first_other = false;
                }
                words.word = hash;
                words.n_word = @intCast(@min(to - at, 2));
                words.endWord();
                words.before = data[to - 1];
                at = to;
                words.is_joined = to < data.len and data[to] == '.';
                if (!words.is_joined) words.n_labels = 0;
                if (to < data.len and kinds[data[to]] == .other) {
                    words.before = data[to];
                    at = to + 1;
                }
                continue;
            }
        }
        if (!is_json or byte != '\\') {
            words.feed(byte, is_json);
            at += 1;
            continue;
        }
        if (at + 1 < data.len and data[at + 1] == 'u') {
            if (pointOf(data[at + 2 ..])) |point| {
                words.feedPoint(point);
                at += 6;
                continue;
            }
        }
        words.feed(' ', true);
        at += 2;
    }
    words.end();
    return if (words.is_full) none else words.n;
}

/// Sets six bits of one line (512 bits) for each hash.
pub fn fill(table: []const u64, lines: []u64) void {
    const n_lines = lines.len / 8;
    for (table) |h| {
        if (h == 0) continue;
        const line = ((h >> 32) * n_lines >> 32) * 8;
        var bits = h *% joiner;
        bits ^= bits >> 32;
        var left: u32 = 6;
        while (left != 0) : (left -= 1) {
            const bit = bits & 511;
            lines[@intCast(line + (bit >> 6))] |= @as(u64, 1) << @intCast(bit & 63);
            bits >>= 9;
        }
    }
}
