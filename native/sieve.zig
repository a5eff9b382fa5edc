//! A sieve for records: those in which certainly no rule matches fall through, the others are named for the exact
//! engine, as is every record with anything unusual about it. It never decides that a rule matches.
//!
//! Everything here is bounded: memory is taken when a sieve is made and when routes are added, never for a record.

const std = @import("std");
const access = @import("access.zig");
const blobs = @import("blob.zig");
const hashing = @import("hash.zig");
const json = @import("json.zig");
const listing = @import("listed.zig");
const matching = @import("matcher.zig");
const rules = @import("rules.zig");
const texts = @import("text.zig");
const Cache = @import("cache.zig").Cache;
const Classes = @import("classes.zig").Classes;

const Allocator = std.mem.Allocator;
const Blob = blobs.Blob;
const Error = blobs.Error;

/// Raised when the words handed over change their meaning.
pub const interface = 7;
const max_fields = 1024;
const max_routes = 4096;
const max_columns = 256;
const max_held = 8192;
/// Of rules that one record is to be looked at for.
const max_asking = 256;
const max_line_bytes = 1 << 20;
const value_sets = 1 << 16;
const verdict_sets = 1 << 15;
const silence_sets = 1 << 13;
/// Silences by number are fewer than this; of a value and a day it says that they were asked about, and are not silent.
const is_told = std.math.maxInt(u32);
const no_stamp = std.math.maxInt(u32);
const n_layouts = 4;
/// Beside the layouts of JSON.
const access_layout = n_layouts;

const format_access = 1;

const Watched = enum(u8) { known, hot };

/// Why a record is named.
const Reason = enum(u32) { quiet, odd, barred, unknown_route, odd_value, rule, keyword, value, stale_route };
const n_reasons = 9;

const Layout = struct {
    /// The object whose presence tells this layout; the last layout has none.
    node: u16 = json.none,
    channel: []const u16 = &.{},
    event_id: []const u16 = &.{},
};

const Place = struct { layout: u8, event_id: u32, channel: []const u8, route: u32 };

/// What is told and asked of one scan; shared with the caller.
pub const Scan = extern struct {
    data: [*]const u8,
    n_bytes: u64,
    format: u64,
    /// Ends of texts that may be keywords, in order.
    hits: ?[*]const u32,
    n_hits: u64,
    named: [*]Named,
    max_named: u64,
    n_named: u64,
    asking: [*]u32,
    max_asking: u64,
    n_asking: u64,
    /// Where to begin and the number of the line there; afterwards where to go on.
    at: u64,
    line: u64,
    n_records: u64,
    /// Not 0: go no further than a record of an unknown route, so that the route can be added.
    stops_at_unknown: u64,
    /// Watched values that were not seen before, of one record: the scan goes no further than before it. If it begins at
    /// `asked`, whoever was to be asked about them was, and what is not known by then is to be looked at.
    asked: u64,
    fresh: [*]Fresh,
    max_fresh: u64,
    n_fresh: u64,
    n_by_reason: [n_reasons]u64,
    /// By silence the records that fell through with a value that is kept silent.
    n_silent: [*]u32,
    max_silent: u64,
};

/// Where a value stands that was not seen before, in which watched column of a route. `kind` is that of `json.Token`,
/// plus 256 where there are escapes in it, and plus 512 for a hot value on a day that was not asked about. `stamp` is
/// where the record's ordinary stamp stands.
const Fresh = extern struct { from: u32, to: u32, route: u32, column: u32, kind: u32, stamp: u32 };

/// The route (where it is known), and rules between two places of `Scan.asking` where the reason is one.
const Named = extern struct { from: u32, to: u32, line: u32, reason: u32, route: u32, first: u32, last: u32 };

/// What can be added to a sieve while it is in use.
pub const Addition = enum(u32) { keys, field, route, place, watch };

pub const Sieve = struct {
    arena: std.heap.ArenaAllocator,
    key: hashing.Key,
    folds: texts.Folds,
    keys: json.Keys = .{},
    slots: json.Slots = .{},
    layouts: [n_layouts]Layout = @splat(.{}),
    matchers: [max_fields]matching.Matcher = undefined,
    has_field: [max_fields]bool = @splat(false),
    routes: [max_routes]rules.Route = undefined,
    n_routes: usize = 0,
    places: [max_routes]Place = undefined,
    n_places: usize = 0,
    by_place: [max_routes * 2]u16 = @splat(json.none),
    classes: Classes,
    values: Cache(u32),
    /// The class of the rules that are to be looked at.
    verdicts: Cache(u32),
    watched: Cache(Watched),
    /// Hot values by day: the number of their silence.
    silences: Cache(u32),
    silence_round: u32 = 0,
    round: u32 = 0,
    listed: listing.Listed = .{},
    held: matching.Held,
    atoms: rules.Atoms,
    done: []u32,
    scratch: []u8,
    other_scratch: []u8,
    /// By watched column a value of `clean_route` that nobody looks for: mostly the next record has it too.
    clean: [max_columns][]const u8 = undefined,
    clean_route: u32 = json.none,
    /// The line in hand.
    line: []const u8 = "",
    /// Its stamp, of an access log.
    stamp: []const u8 = "",
    /// What a record was named for last: its route, and rules by their place there.
    route: u32 = 0,
    asking: []const u32 = &.{},

    pub fn init(words: []const u32, bytes: []const u8, key: []const u64) Error!*Sieve {
        if (key.len != hashing.key_words) return error.Malformed;
        var arena = std.heap.ArenaAllocator.init(std.heap.page_allocator);
        errdefer arena.deinit();
        const gpa = arena.allocator();
        const self = try gpa.create(Sieve);
        var blob = Blob{ .words = words, .bytes = try gpa.dupe(u8, bytes) };
        if (try blob.word() != interface) return error.Malformed;
        const n_atoms = try blob.word();
        const n_rules = try blob.word();
        self.* = .{
            .arena = undefined,
            .key = .{ .words = key[0..hashing.key_words].* },
            .folds = undefined,
            .classes = try Classes.init(gpa),
            .values = try Cache(u32).init(gpa, value_sets),
            .verdicts = try Cache(u32).init(gpa, verdict_sets),
            .watched = try Cache(Watched).init(gpa, value_sets),
            .silences = try Cache(u32).init(gpa, silence_sets),
            .held = .{ .codes = try gpa.alloc(u32, max_held) },
            .atoms = .{
                .rounds = try gpa.alloc(u32, n_atoms),
                .answers = try gpa.alloc(rules.Answer, n_atoms),
            },
            .done = try gpa.alloc(u32, n_rules),
            .scratch = try gpa.alloc(u8, 2 * max_line_bytes + 64),
            .other_scratch = try gpa.alloc(u8, 2 * max_line_bytes + 64),
        };
        @memset(self.atoms.rounds, 0);
        @memset(self.done, 0);
        const folds = try blob.list();
        if (folds.len != texts.Folds.count) return error.Malformed;
        for (&self.folds.points, folds) |*point, fold| point.* = std.math.cast(u16, fold) orelse return error.Malformed;
        for (try blob.list()) |flags| try self.keys.addNode(flags & 1 != 0, flags & 2 != 0);
        try self.readKeys(&blob);
        for (&self.layouts) |*layout| {
            layout.node = try blob.half();
            layout.channel = try slotsOf(gpa, &blob);
            layout.event_id = try slotsOf(gpa, &blob);
        }
        try blob.end();
        self.arena = arena;
        return self;
    }

    /// New steps.
    fn readKeys(self: *Sieve, blob: *Blob) Error!void {
        for (0..try blob.count()) |_| {
            const parent = try blob.half();
            const child = try blob.half();
            const slot = try blob.half();
            const is_barred = try blob.word() != 0;
            const key = try blob.text();
            if (slot != json.none and slot >= json.max_slots) return error.Malformed;
            if (child != json.none and child >= self.keys.n_nodes) return error.Malformed;
            try self.keys.add(.{ .parent = parent, .child = child, .slot = slot, .is_barred = is_barred, .key = key });
        }
    }

    /// Everything that is added reads words which are checked, and texts of which a copy is kept.
    pub fn add(self: *Sieve, what: Addition, number: u32, words: []const u32, bytes: []const u8) Error!void {
        const gpa = self.arena.allocator();
        var blob = Blob{ .words = words, .bytes = try gpa.dupe(u8, bytes) };
        switch (what) {
            .keys => try self.readKeys(&blob),
            .field => try self.readField(gpa, number, &blob),
            .route => try self.readRoute(gpa, number, &blob),
            .place => try self.readPlace(number, &blob),
            .watch => try self.readWatch(gpa, number, &blob),
        }
        try blob.end();
    }

    fn readField(self: *Sieve, gpa: Allocator, number: u32, blob: *Blob) Error!void {
        if (number >= max_fields) return error.Full;
        self.matchers[number] = try matching.Matcher.init(gpa, blob, self.atoms.rounds.len);
        self.has_field[number] = true;
    }

    fn readRoute(self: *Sieve, gpa: Allocator, number: u32, blob: *Blob) Error!void {
        if (number >= max_routes) return error.Full;
        if (number != self.n_routes) return error.Malformed;
        const route = try rules.Route.init(gpa, blob, self.atoms.rounds.len);
        if (route.columns.len + route.references.len > max_columns or route.rules.len > self.done.len) return error.Full;
        for (route.columns) |column| {
            if (column.field >= max_fields or !self.has_field[column.field]) return error.Malformed;
            if (!column.isWhole()) return error.Malformed;
            for (column.slots) |slot| if (slot >= json.max_slots) return error.Malformed;
        }
        self.routes[number] = route;
        self.n_routes += 1;
    }

    /// A kind of record and the number of its route.
    fn readPlace(self: *Sieve, number: u32, blob: *Blob) Error!void {
        const layout = try blob.word();
        const event_id = try blob.word();
        const channel = try blob.text();
        if (layout > access_layout or number >= self.n_routes) return error.Malformed;
        if (self.n_places == max_routes) return error.Full;
        var place = placeOf(layout, event_id, channel);
        while (self.by_place[place] != json.none) place = (place + 1) & (self.by_place.len - 1);
        self.by_place[place] = @intCast(self.n_places);
        self.places[self.n_places] = .{
            .layout = @intCast(layout),
            .event_id = event_id,
            .channel = channel,
            .route = number,
        };
        self.n_places += 1;
    }

    /// From now on values of these columns are watched on the route.
    fn readWatch(self: *Sieve, gpa: Allocator, number: u32, blob: *Blob) Error!void {
        if (number >= self.n_routes) return error.Malformed;
        const columns = try gpa.alloc(rules.Column, try blob.count());
        if (columns.len > max_columns) return error.Full;
        for (columns) |*column| {
            column.* = try rules.watchedOf(gpa, blob, self.atoms.rounds.len);
            if (!column.isWhole()) return error.Malformed;
            for (column.slots) |slot| if (slot >= json.max_slots) return error.Malformed;
        }
        self.routes[number].watched = columns;
        self.routes[number].round = self.round;
    }

    /// What is watched for has changed: of every route it is to be said anew, and no value is known any more. Round 0
    /// watches for nothing.
    pub fn watchAnew(self: *Sieve, round: u32) void {
        self.round = round;
        self.listed.is_known = false;
    }

    /// The route is watched as before.
    pub fn watchOn(self: *Sieve, number: u32) void {
        if (number < self.n_routes) self.routes[number].round = self.round;
    }

    /// Records with this value are named.
    pub fn heat(self: *Sieve, field: u32, kind: u32, bytes: []const u8) void {
        if (bytes.len <= max_line_bytes) self.watched.put(self.keyOfWatched(field, kind & 256 != 0, bytes), .hot);
    }

    /// On this day a record that is named for nothing but this value is counted, and named no more.
    pub fn keepSilent(self: *Sieve, field: u32, kind: u32, bytes: []const u8, stamp: []const u8, silence: u32) void {
        if (bytes.len > max_line_bytes) return;
        const key = self.keyOfDay(self.keyOfWatched(field, kind & 256 != 0, bytes), stamp) orelse return;
        self.silences.put(key, silence);
    }

    pub fn speak(self: *Sieve) void {
        self.silence_round +%= 1;
    }

    /// Of a watched value on the day of a stamp; null where the stamp is no ordinary one.
    fn keyOfDay(self: *const Sieve, watched: u128, stamp: []const u8) ?u128 {
        var day: [access.stamp_bytes - 8]u8 = undefined;
        var both: [16 + day.len]u8 = undefined;
        std.mem.writeInt(u128, both[0..16], watched, .little);
        @memcpy(both[16..], access.dayOf(stamp, &day) orelse return null);
        return self.key.hash(3 << 62 | @as(u64, self.silence_round), &both);
    }

    fn keyOfWatched(self: *const Sieve, field: u32, has_escape: bool, bytes: []const u8) u128 {
        const round = @as(u64, self.round) << 32;
        return self.key.hash(1 << 63 | round | @as(u64, field) << 1 | @intFromBool(has_escape), bytes);
    }

    fn forget(self: *Sieve) void {
        self.values.clear();
        self.verdicts.clear();
        self.classes.clear();
    }

    pub fn scan(self: *Sieve, task: *Scan) void {
        const data = task.data[0..task.n_bytes];
        const hits: []const u32 = if (task.hits) |hits| hits[0..task.n_hits] else &.{};
        var next_hit: usize = 0;
        while (next_hit < hits.len and hits[next_hit] <= task.at) next_hit += 1;
        var at: usize = task.at;
        self.clean_route = json.none;
        const has_room = task.max_asking >= max_asking;
        while (has_room and at < data.len and task.n_named < task.max_named) : (task.line += 1) {
            if (task.n_asking > task.max_asking - max_asking) break;
            if (self.round != 0 and task.max_fresh <= max_columns) break;
            var end: usize = undefined;
            var reason: Reason = .quiet;
            const is_sound = if (task.format == format_access) self.readAccess(data, at, &end) else self.readJson(data, at, &end);
            if (is_sound) |_| {
                var has_hit = false;
                while (next_hit < hits.len and hits[next_hit] <= end) : (next_hit += 1) has_hit = true;
                reason = if (end - at > max_line_bytes) .odd else self.judge(task.format, withoutReturn(data[at..end]), has_hit);
                if (reason == .quiet and self.round != 0 and self.isWatched(data, at, task)) reason = .value;
                if (task.n_fresh != 0) break;
            } else |problem| reason = if (problem == error.Barred) .barred else .odd;
            if (reason == .odd and isBlank(data[at..end])) {
                at = end + 1;
                continue;
            }
            while (next_hit < hits.len and hits[next_hit] <= end) next_hit += 1;
            task.n_records += 1;
            task.n_by_reason[@backingInt(reason)] += 1;
            if (reason != .quiet) {
                const asking = if (reason == .rule) self.asking else &.{};
                const first_: u32 = @intCast(task.n_asking);
                @memcpy(task.asking[first_..][0..asking.len], asking);
                task.n_asking += asking.len;
                task.named[task.n_named] = .{
                    .from = @intCast(at),
                    .to = @intCast(end),
                    .line = @intCast(task.line),
                    .reason = @backingInt(reason),
                    .route = self.route,
                    .first = first_,
                    .last = @intCast(task.n_asking),
                };
                task.n_named += 1;
            }
            at = end + 1;
            if ((reason == .unknown_route or reason == .stale_route) and task.stops_at_unknown != 0) {
                task.line += 1;
                break;
            }
        }
        task.at = at;
    }

    /// Fills the slots from the object at `at`; `end` is where its line ends, whatever stands there.
    fn readJson(self: *Sieve, data: []const u8, at: usize, end: *usize) json.Error!void {
        self.stamp = "";
        var reader = json.Reader{ .data = data, .at = at, .keys = &self.keys, .slots = &self.slots };
        defer end.* = std.mem.indexOfScalarPos(u8, data, reader.at, '\n') orelse data.len;
        try reader.record();
    }

    /// The same of a line of an access log; a carriage return before the line's end is no part of it.
    fn readAccess(self: *Sieve, data: []const u8, at: usize, end: *usize) json.Error!void {
        end.* = std.mem.indexOfScalarPos(u8, data, at, '\n') orelse data.len;
        var reader = access.Reader{ .line = withoutReturn(data[at..end.*]), .slots = &self.slots };
        try reader.record();
        self.stamp = reader.stamp;
    }

    fn judge(self: *Sieve, format: u64, line: []const u8, has_hit: bool) Reason {
        const found = if (format == format_access) self.placed(access_layout, 0, "") else self.routeOf();
        const number = found orelse return .unknown_route;
        const route = &self.routes[number];
        self.route = number;
        self.line = line;
        if (self.round != 0 and route.round != self.round) return .stale_route;
        if (route.is_idle) return .quiet;
        if (has_hit and route.minds_hits) return .keyword;
        if (self.slots.hidden & route.keyword_characters != 0) return .keyword;
        if (route.keywords.needles.len != 0 and self.hasKeyword(route, line)) return .keyword;
        return self.verdict(number) catch {
            self.forget();
            return self.verdict(number) catch .odd_value;
        };
    }

    /// Whether the record in hand holds a hot value, or one that cannot be told here; unless it is a single one that is
    /// kept silent on the record's day, which is counted. Values not seen before are handed over, and counted as known
    /// from now on: whoever finds one hot says so, and the record is looked at again.
    fn isWatched(self: *Sieve, data: []const u8, at: usize, task: *Scan) bool {
        if (self.clean_route != self.route) {
            self.clean_route = self.route;
            self.clean = @splat("");
        }
        var n_hot: usize = 0;
        var hot: Fresh = undefined;
        var hot_key: u128 = undefined;
        for (self.routes[self.route].watched, 0..) |*column, i| {
            if (column.how == .unknown) return true;
            const token = self.tokenOf(column) orelse return true;
            if (!token.isPresent()) continue;
            if (!token.has_escape) {
                if (std.mem.eql(u8, token.bytes, self.clean[i])) continue;
                if (!self.mayTell(column, token.bytes)) {
                    self.clean[i] = token.bytes;
                    continue;
                }
            }
            const key = self.keyOfWatched(column.field, token.has_escape, token.bytes);
            const known = self.watched.get(key);
            if (known == .known) {
                if (!token.has_escape) self.clean[i] = token.bytes;
                continue;
            }
            if (known == .hot) {
                n_hot += 1;
                hot = self.freshOf(data, token, i);
                hot_key = key;
                continue;
            }
            if (task.asked == at) return true;
            self.watched.put(key, .known);
            task.fresh[task.n_fresh] = self.freshOf(data, token, i);
            task.n_fresh += 1;
        }
        if (n_hot == 0 or task.n_fresh != 0) return false; // with fresh ones it is looked at again
        return n_hot > 1 or !self.isSilent(hot_key, hot, task, task.asked == at);
    }

    /// Whether a value of a watched column may be one that somebody looks for.
    fn mayTell(self: *Sieve, column: *const rules.Column, bytes: []const u8) bool {
        if (column.is_address) return !self.listed.lacks(bytes);
        if (column.needle.len == 0 or bytes.len > max_line_bytes or hasNeedle(bytes, column.needle)) return true;
        if (column.how != .decoded or !mayHide(bytes)) return false;
        return hasNeedle(access.decoded(bytes, self.other_scratch) orelse return true, column.needle);
    }

    fn freshOf(self: *const Sieve, data: []const u8, token: json.Token, column: usize) Fresh {
        const from = @intFromPtr(token.bytes.ptr) - @intFromPtr(data.ptr);
        const has_day = self.stamp.len == access.stamp_bytes;
        return .{
            .from = @intCast(from),
            .to = @intCast(from + token.bytes.len),
            .route = self.route,
            .column = @intCast(column),
            .kind = @backingInt(token.kind) + 256 * @as(u32, @intFromBool(token.has_escape)),
            .stamp = if (has_day) @intCast(@intFromPtr(self.stamp.ptr) - @intFromPtr(data.ptr)) else no_stamp,
        };
    }

    /// Whether nothing is to be said of this value on the day of the record in hand, which is then counted. A day that
    /// was not asked about is handed over.
    fn isSilent(self: *Sieve, watched: u128, one: Fresh, task: *Scan, was_asked: bool) bool {
        const key = self.keyOfDay(watched, self.stamp) orelse return false;
        if (self.silences.get(key)) |silence| {
            if (silence >= task.max_silent) return false;
            task.n_silent[silence] += 1;
            return true;
        }
        if (was_asked) return false;
        self.silences.put(key, is_told);
        task.fresh[task.n_fresh] = one;
        task.fresh[task.n_fresh].kind += 512;
        task.n_fresh += 1;
        return false;
    }

    fn hasKeyword(self: *Sieve, route: *const rules.Route, line: []const u8) bool {
        for (line, self.scratch[0..line.len]) |byte, *to| to.* = texts.lower(byte);
        route.keywords.findAll(self.scratch[0..line.len], &self.held);
        return self.held.any();
    }

    fn routeOf(self: *Sieve) ?u32 {
        const number: u8 = for (self.layouts, 0..) |layout, i| {
            if (layout.node == json.none or self.slots.entered >> @intCast(layout.node) & 1 == 1) break @intCast(i);
        } else return null;
        const layout = self.layouts[number];
        const channel = self.first(layout.channel);
        const event_id = self.first(layout.event_id);
        if (channel.kind != .text or channel.has_escape) return null;
        if ((event_id.kind != .integer and event_id.kind != .text) or event_id.bytes.len > 9) return null;
        const id = std.fmt.parseUnsigned(u32, event_id.bytes, 10) catch return null;
        if (event_id.bytes[0] == '+' or std.mem.indexOfScalar(u8, event_id.bytes, '_') != null) return null;
        return self.placed(number, id, channel.bytes);
    }

    /// The route of records of this kind.
    fn placed(self: *const Sieve, layout: u8, event_id: u32, channel: []const u8) ?u32 {
        var place = placeOf(layout, event_id, channel);
        while (self.by_place[place] != json.none) : (place = (place + 1) & (self.by_place.len - 1)) {
            const found = &self.places[self.by_place[place]];
            if (found.layout == layout and found.event_id == event_id and std.mem.eql(u8, found.channel, channel)) {
                return found.route;
            }
        }
        return null;
    }

    fn placeOf(layout: u64, event_id: u64, channel: []const u8) usize {
        var mixed: u64 = layout << 40 | event_id << 8 | (channel.len & 0xFF);
        if (channel.len != 0) mixed ^= @as(u64, channel[channel.len - 1]) << 48 | @as(u64, channel[channel.len / 2]) << 56;
        return @intCast(mixed *% 0x9E3779B97F4A7C15 >> 40 & (max_routes * 2 - 1));
    }

    fn first(self: *const Sieve, slots: []const u16) json.Token {
        for (slots) |slot| {
            const token = self.slots.get(slot);
            if (token.isPresent()) return token;
        }
        return .{};
    }

    fn verdict(self: *Sieve, number: u32) error{Full}!Reason {
        const route = &self.routes[number];
        var tokens: [max_columns]json.Token = undefined;
        var own: [max_columns]u32 = undefined;
        for (route.columns, 0..) |*column, i| {
            tokens[i] = self.tokenOf(column) orelse return .odd_value;
            own[i] = try self.classOf(column, tokens[i]) orelse return .odd_value;
        }
        var n = route.columns.len;
        for (route.references) |*one| {
            own[n] = try self.classOfReference(route, one, &tokens);
            n += 1;
        }
        const classes = own[0..n];
        const key = self.key.hash(@as(u64, 1) << 32 | number, std.mem.sliceAsBytes(classes));
        const verdict_ = self.verdicts.get(key) orelse made: {
            var codes: [max_columns][]const u32 = undefined;
            for (classes, codes[0..classes.len]) |class, *one| one.* = self.classes.codesOf(class);
            var found: [max_asking]u32 = undefined;
            const rules_ = route.asking(codes[0..classes.len], &self.atoms, self.done, &found) orelse return .odd_value;
            const class = try self.classes.intern(&self.key, rules_);
            self.verdicts.put(key, class);
            break :made class;
        };
        self.asking = self.classes.codesOf(verdict_);
        return if (self.asking.len == 0) .quiet else .rule;
    }

    /// What the record has in this column; null where only the exact engine can tell.
    fn tokenOf(self: *const Sieve, column: *const rules.Column) ?json.Token {
        switch (column.how) {
            .unknown => return .{},
            .line => return .{ .kind = .text, .bytes = self.line },
            .plain, .decoded => {
                const token = self.first(column.slots);
                return if (token.kind == .odd) null else token;
            },
            .either => return self.slots.get(column.slots[1]),
            else => {
                const token = self.slots.get(column.slots[0]);
                if (token.kind == .odd) return null;
                if (token.isPresent()) return token;
                var whole = self.slots.get(column.slots[1]);
                if (whole.kind == .missing) whole = self.slots.get(column.slots[2]);
                if (whole.kind != .text) return .{};
                if (whole.has_escape or !isAscii(whole.bytes)) return null;
                const digest = digestIn(whole.bytes, @tagName(column.how)) orelse return .{};
                return .{ .kind = .text, .bytes = digest };
            },
        }
    }

    /// The class of a value; null where only the exact engine can tell.
    fn classOf(self: *Sieve, column: *const rules.Column, token: json.Token) error{Full}!?u32 {
        if (column.how == .unknown) return try self.unknown(column);
        if (!token.isPresent()) return try self.absent(column);
        if (column.how == .line) return self.classOfLine(column, token);
        // The same text is another value where it is read otherwise.
        const tag = @as(u64, column.field) << 4 | @as(u64, @backingInt(column.how) << 1 & 0xE) | @intFromBool(token.has_escape);
        const key = self.key.hash(tag, token.bytes);
        if (self.values.get(key)) |class| return class;
        const matcher = &self.matchers[column.field];
        if (column.how == .either) {
            const part = self.slots.get(column.slots[0]);
            if (part.isPresent()) {
                matcher.ofText(self.foldedText(part, self.scratch) orelse return null, &self.held);
                self.held.again();
            }
        }
        const text = if (column.how == .decoded) self.decodedText(token) else self.foldedText(token, self.scratch);
        matcher.ofText(text orelse {
            _ = self.held.any();
            return null;
        }, &self.held);
        const codes = self.held.found(matcher.atoms) orelse return null;
        const class = try self.classes.intern(&self.key, codes);
        self.values.put(key, class);
        return class;
    }

    /// Lines are nearly all different: their classes are not kept.
    fn classOfLine(self: *Sieve, column: *const rules.Column, token: json.Token) error{Full}!?u32 {
        const matcher = &self.matchers[column.field];
        matcher.ofText(self.foldedText(token, self.scratch) orelse return null, &self.held);
        return try self.classes.intern(&self.key, self.held.found(matcher.atoms) orelse return null);
    }

    /// Of the one atom that compares two columns: held, not held or maybe.
    fn classOfReference(
        self: *Sieve,
        route: *const rules.Route,
        one: *const rules.Reference,
        tokens: *const [max_columns]json.Token,
    ) error{Full}!u32 {
        const left = tokens[one.column];
        const right = tokens[one.other];
        const is_known = isPlain(&route.columns[one.column]) and isPlain(&route.columns[one.other]);
        const answer: rules.Answer = if (!is_known) .maybe else if (!left.isPresent() or !right.isPresent())
            .no
        else
            self.compare(one.how, left, right);
        const code = [1]u32{one.atom << 1 | @intFromBool(answer == .maybe)};
        const codes = code[0..@intFromBool(answer != .no)];
        return self.classes.intern(&self.key, codes);
    }

    fn compare(self: *Sieve, how: rules.Reference.How, left: json.Token, right: json.Token) rules.Answer {
        const text = self.foldedText(left, self.scratch) orelse return .maybe;
        const other = self.foldedText(right, self.other_scratch) orelse return .maybe;
        const holds = switch (how) {
            .equal => std.mem.eql(u8, text, other),
            .contains => std.mem.find(u8, text, other) != null,
            .head => std.mem.startsWith(u8, text, other),
            .tail => std.mem.endsWith(u8, text, other),
        };
        return if (holds) .yes else .no;
    }

    /// Null only where the field itself is there as null; else it is missing.
    fn absent(self: *Sieve, column: *const rules.Column) error{Full}!u32 {
        const is_null = column.slots.len != 0 and self.slots.get(column.slots[0]).kind == .null;
        const key = self.key.hash(1 << 40 | @as(u64, column.field) << 1 | @intFromBool(is_null), "");
        if (self.values.get(key)) |class| return class;
        const matcher = &self.matchers[column.field];
        if (is_null) matcher.ofNull(&self.held) else matcher.ofMissing(&self.held);
        const class = try self.classes.intern(&self.key, self.held.found(matcher.atoms) orelse return error.Full);
        self.values.put(key, class);
        return class;
    }

    fn unknown(self: *Sieve, column: *const rules.Column) error{Full}!u32 {
        const key = self.key.hash(@intFromPtr(column), "");
        if (self.values.get(key)) |class| return class;
        const class = try self.classes.intern(&self.key, column.codes);
        self.values.put(key, class);
        return class;
    }

    /// Folded into `to`, with room for four bytes more behind it.
    fn foldedText(self: *const Sieve, token: json.Token, to: []u8) ?[]const u8 {
        if (token.bytes.len > max_line_bytes) return null;
        return texts.folded(&self.folds, token.bytes, to[0 .. to.len - 8], token.has_escape);
    }

    /// A request with its encodings undone, folded.
    fn decodedText(self: *Sieve, token: json.Token) ?[]const u8 {
        if (token.bytes.len > max_line_bytes) return null;
        const text = access.decoded(token.bytes, self.other_scratch) orelse return null;
        return texts.folded(&self.folds, text, self.scratch[0 .. self.scratch.len - 8], false);
    }
};

/// Whether there is anything that decoding a request would undo, but for a plus; sixteen bytes at once.
fn mayHide(text: []const u8) bool {
    const Block = @Vector(16, u8);
    var at: usize = 0;
    while (at + 16 <= text.len) : (at += 16) {
        const block: Block = text[at..][0..16].*;
        const percent = block == @as(Block, @splat('%'));
        const escape = block == @as(Block, @splat('\\'));
        const entity = block == @as(Block, @splat('&'));
        if (@reduce(.Or, percent) or @reduce(.Or, escape) or @reduce(.Or, entity)) return true;
    }
    for (text[at..]) |byte| if (byte == '%' or byte == '\\' or byte == '&') return true;
    return false;
}

fn hasNeedle(text: []const u8, needle: []const u8) bool {
    var at: usize = 0;
    while (std.mem.indexOfScalarPos(u8, text, at, needle[0])) |found| : (at = found + 1) {
        if (std.mem.startsWith(u8, text[found..], needle)) return true;
    }
    return false;
}

/// Whether a column's value is its token as it stands.
fn isPlain(column: *const rules.Column) bool {
    return switch (column.how) {
        .unknown, .either, .decoded => false,
        else => true,
    };
}

fn slotsOf(gpa: Allocator, blob: *Blob) Error![]const u16 {
    const words = try blob.list();
    const slots = try gpa.alloc(u16, words.len);
    for (slots, words) |*slot, word| {
        if (word >= json.max_slots) return error.Malformed;
        slot.* = @intCast(word);
    }
    return slots;
}

fn withoutReturn(line: []const u8) []const u8 {
    return if (std.mem.endsWith(u8, line, "\r")) line[0 .. line.len - 1] else line;
}

fn isBlank(line: []const u8) bool {
    for (line) |byte| switch (byte) {
        ' ', '\t', '\r', 11, 12 => {},
        else => return false,
    };
    return true;
}

fn isAscii(text: []const u8) bool {
    for (text) |byte| if (byte >= 0x80) return false;
    return true;
}

/// Behind `KIND=` in any case, hexadecimal digits; the first of its kind counts.
fn digestIn(text: []const u8, kind: []const u8) ?[]const u8 {
    if (text.len > 1024) return null;
    var at: usize = 0;
    while (std.mem.indexOfScalarPos(u8, text, at, '=')) |mark| : (at = mark + 1) {
        if (mark < kind.len or !std.ascii.eqlIgnoreCase(text[mark - kind.len .. mark], kind)) continue;
        var end = mark + 1;
        while (end < text.len and std.ascii.isHex(text[end])) end += 1;
        if (end > mark + 1) return text[mark + 1 .. end];
    }
    return null;
}
