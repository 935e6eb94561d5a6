// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "../interfaces/IERC20.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IL1Bridge} from "../interfaces/IL1Bridge.sol";
import {IL2Bridge} from "../interfaces/IL2Bridge.sol";
import {IL2ToL1MessagePasser, Withdrawal} from "../interfaces/IL2ToL1MessagePasser.sol";
import {IStateCommitmentChain} from "../interfaces/IStateCommitmentChain.sol";
import {AddressAlias} from "../libraries/AddressAlias.sol";
import {BoundedPause} from "../libraries/BoundedPause.sol";
import {MerklePatricia} from "../libraries/MerklePatricia.sol";
import {TokenCalls} from "../libraries/TokenCalls.sol";
import {WithdrawalProof} from "../libraries/WithdrawalProof.sol";
import {WithdrawalCaller} from "./WithdrawalCaller.sol";

/// @title L1 bridge
/// @dev Runtime: L1. Two locks, both transient: `_busy` while a withdrawal's call runs, `_counting` while tokens move. A
/// withdrawal can't be finalized under either, so nobody can make another's fail from inside. What a withdrawal calls may
/// deposit again.
contract L1Bridge is IL1Bridge {
    using TokenCalls for address;

    address private constant MESSAGE_PASSER = 0x4200000000000000000000000000000000000016;
    address private constant L2_BRIDGE = 0x4200000000000000000000000000000000000010;

    /// @dev OVM gas units of a deposit to one's own account, which has no code: a plain transfer.
    uint64 private constant ETH_DEPOSIT_GAS = 21_000;
    /// @dev OVM gas units that `initiateWithdrawal` needs without data. Measured in the tests.
    uint64 private constant WITHDRAWAL_GAS = 150_000;
    /// @dev OVM gas units with which a token's first deposit succeeds whatever it is called. Measured in the tests.
    uint64 private constant ERC20_DEPOSIT_GAS_MIN = 2_000_000;
    /// @dev L1 gas units for the receiver of a withdrawal that was requested here; enough for the wallets that are contracts.
    uint256 private constant RECEIVER_GAS = 100_000;
    /// @dev L1 gas units between the check and the target's first opcode, with all accounts cold and the target a new one.
    uint256 private constant CALL_OVERHEAD_GAS = 50_000;
    /// @dev L1 gas units for what is left to do after the call.
    uint256 private constant FINISH_GAS = 10_000;
    /// @dev No gas limit above can be supplied; keeps the sums small.
    uint256 private constant GAS_LIMIT_MAX = 1 << 64;
    /// @dev L1 gas units that are kept when a token is called to pay: to write down that it did not.
    uint256 private constant KEEP_GAS = 60_000;

    IInbox private immutable INBOX;
    IStateCommitmentChain private immutable STATE_COMMITMENT_CHAIN;
    address private immutable GUARDIAN;
    WithdrawalCaller private immutable CALLER;

    bool private transient _busy;
    bool private transient _counting;

    /// @inheritdoc IL1Bridge
    address public transient l2Sender;
    /// @inheritdoc IL1Bridge
    mapping(bytes32 withdrawalHash => bool) public isFinalized;
    /// @inheritdoc IL1Bridge
    mapping(address token => uint256) public tokenBalance;
    /// @inheritdoc IL1Bridge
    mapping(address token => mapping(address to => uint256)) public owed;
    /// @inheritdoc IL1Bridge
    uint40 public pausedUntil;
    /// @dev Seconds since the Unix epoch.
    uint40 private _mayPauseFrom;

    modifier whileNotPaused() {
        if (block.timestamp < pausedUntil) revert Paused(pausedUntil);
        _;
    }

    modifier counting() {
        if (_counting) revert Reentered();
        _counting = true;
        _;
        _counting = false;
    }

    /// @dev Payable: what genesis gives out on L2 comes along.
    constructor(address inbox, address stateCommitmentChain, address guardian) payable {
        INBOX = IInbox(inbox);
        STATE_COMMITMENT_CHAIN = IStateCommitmentChain(stateCommitmentChain);
        GUARDIAN = guardian;
        CALLER = new WithdrawalCaller();
    }

    /// @inheritdoc IL1Bridge
    function depositETH() external payable {
        // The deposited ETH stays with the account even if it has code there that refuses it.
        address account = AddressAlias.ofCaller();
        _depositETH(account, account, ETH_DEPOSIT_GAS, "");
    }

    /// @inheritdoc IL1Bridge
    function depositETHTo(address to, uint64 gasLimit, bytes calldata data) external payable {
        _depositETH(AddressAlias.ofCaller(), to, gasLimit, data);
    }

    /// @inheritdoc IL1Bridge
    function depositTransaction(bool isCreation, address to, uint256 value, uint64 gasLimit, bytes calldata data)
        external
        payable
    {
        // Without ETH it is a forced transaction, and nobody stops those.
        if (msg.value > 0 && block.timestamp < pausedUntil) revert Paused(pausedUntil);
        address from = AddressAlias.ofCaller();
        uint256 queueIndex = INBOX.enqueueDeposit(from, isCreation, to, msg.value, value, gasLimit, data);
        if (msg.value > 0) emit ETHDeposited(from, to, msg.value, queueIndex);
    }

    /// @inheritdoc IL1Bridge
    function withdrawETH(uint256 amount) external {
        if (amount == 0) revert NothingDeposited();
        address from = AddressAlias.ofCaller();
        bytes memory data = abi.encodeCall(IL2ToL1MessagePasser.initiateWithdrawal, (msg.sender, RECEIVER_GAS, ""));
        uint256 queueIndex = INBOX.enqueueDeposit(from, false, MESSAGE_PASSER, 0, amount, WITHDRAWAL_GAS, data);
        emit ETHWithdrawalRequested(from, amount, queueIndex);
    }

    /// @inheritdoc IL1Bridge
    function finalizeWithdrawal(bytes calldata proof) external whileNotPaused {
        if (_busy || _counting) revert Reentered();
        (Withdrawal memory withdrawal, bytes32 withdrawalHash) = _prove(proof);
        isFinalized[withdrawalHash] = true;
        uint256 value = withdrawal.value;
        _requireGas(withdrawal.gasLimit, withdrawal.data.length);
        _busy = true;
        l2Sender = withdrawal.sender;
        bool success;
        try CALLER.execute{value: value}(withdrawal.target, withdrawal.data) {
            success = true;
        } catch {}
        l2Sender = address(0);
        _busy = false;
        emit WithdrawalFinalized(withdrawalHash, success, value);
    }

    /// @inheritdoc IL1Bridge
    function depositERC20(address token, address to, uint256 amount, uint64 gasLimit)
        external
        whileNotPaused
        counting
    {
        if (token.code.length == 0) revert NotContract(token);
        uint256 held = _balance(token);
        if (!token.tryTransferFrom(msg.sender, address(this), amount)) revert TokenTransferFailed(token);
        uint256 holds = _balance(token);
        if (holds <= held) revert NothingDeposited();
        amount = holds - held;
        tokenBalance[token] += amount;
        address from = AddressAlias.ofCaller();
        bytes memory data = abi.encodeCall(
            IL2Bridge.finalizeDeposit,
            (
                token,
                from,
                to,
                amount,
                token.text(IERC20.name.selector),
                token.text(IERC20.symbol.selector),
                token.decimals()
            )
        );
        if (gasLimit < ERC20_DEPOSIT_GAS_MIN) gasLimit = ERC20_DEPOSIT_GAS_MIN;
        address self = AddressAlias.ofContract(address(this));
        uint256 queueIndex = INBOX.enqueueDeposit(self, false, L2_BRIDGE, 0, 0, gasLimit, data);
        emit ERC20Deposited(token, from, to, amount, queueIndex);
    }

    /// @inheritdoc IL1Bridge
    function finalizeERC20Withdrawal(address token, address from, address to, uint256 amount) external counting {
        if (msg.sender != address(CALLER) || l2Sender != L2_BRIDGE) revert NotL2Bridge(l2Sender);
        uint256 available = tokenBalance[token];
        if (amount > available) revert TokenNotDeposited(token, amount, available);
        tokenBalance[token] = available - amount;
        uint256 gas = gasleft();
        if (gas > KEEP_GAS && token.tryTransfer(gas - KEEP_GAS, to, amount)) {
            emit ERC20Withdrawn(token, from, to, amount);
        } else {
            owed[token][to] += amount;
            emit ERC20WithdrawalKept(token, to, amount);
        }
    }

    /// @inheritdoc IL1Bridge
    function claimERC20(address token, address to) external whileNotPaused counting {
        uint256 amount = owed[token][to];
        if (amount == 0) revert NothingOwed(token, to);
        owed[token][to] = 0;
        if (!token.tryTransfer(gasleft(), to, amount)) revert TokenTransferFailed(token);
        emit ERC20Withdrawn(token, L2_BRIDGE, to, amount);
    }

    /// @inheritdoc IL1Bridge
    function pause(uint256 until) external {
        if (msg.sender != GUARDIAN) revert NotGuardian(msg.sender);
        (BoundedPause.Verdict verdict, uint256 newUntil, uint256 mayPauseFrom, uint256 limit) =
            BoundedPause.ask(pausedUntil, _mayPauseFrom, until);
        if (verdict == BoundedPause.Verdict.TooLong) revert PauseTooLong(limit, until);
        if (verdict == BoundedPause.Verdict.TooSoon) revert PauseTooSoon(limit);
        pausedUntil = uint40(newUntil);
        _mayPauseFrom = uint40(mayPauseFrom);
        emit PausedUntil(newUntil);
    }

    /// @inheritdoc IL1Bridge
    function withdrawalCaller() external view returns (address) {
        return address(CALLER);
    }

    function _depositETH(address from, address to, uint64 gasLimit, bytes memory data) private whileNotPaused {
        if (msg.value == 0) revert NothingDeposited();
        uint256 queueIndex = INBOX.enqueueDeposit(from, false, to, msg.value, msg.value, gasLimit, data);
        emit ETHDeposited(from, to, msg.value, queueIndex);
    }

    /// @dev Reverts unless a final claim's state holds the withdrawal, and it is not done yet.
    function _prove(bytes calldata proof)
        private
        view
        returns (Withdrawal memory withdrawal, bytes32 withdrawalHash)
    {
        uint256 claimIndex;
        bytes[] memory accountProof;
        bytes[] memory storageProof;
        (withdrawal, claimIndex, accountProof, storageProof) = WithdrawalProof.decode(proof);
        withdrawalHash = WithdrawalProof.hash(withdrawal);
        if (isFinalized[withdrawalHash]) revert AlreadyFinalized(withdrawalHash);
        bytes32 stateRoot = STATE_COMMITMENT_CHAIN.requireFinal(claimIndex);
        MerklePatricia.Account memory passer =
            MerklePatricia.readAccount(stateRoot, MESSAGE_PASSER, accountProof);
        if (!passer.exists) revert WithdrawalNotProven(withdrawalHash, stateRoot);
        // `sentMessages` is the passer's slot 0.
        bytes32 slot = keccak256(abi.encode(withdrawalHash, uint256(0)));
        bytes32 sent = MerklePatricia.readSlot(passer.storageRoot, slot, storageProof);
        if (sent != bytes32(uint256(1))) revert WithdrawalNotProven(withdrawalHash, stateRoot);
    }

    /// @dev EIP-150: each of the two calls keeps back 1/64 of what is left. What is needed is computed from the target's end.
    function _requireGas(uint256 gasLimit, uint256 dataLength) private view {
        if (gasLimit > GAS_LIMIT_MAX) gasLimit = GAS_LIMIT_MAX;
        uint256 overhead = CALL_OVERHEAD_GAS + 2 * dataLength;
        uint256 inCaller = gasLimit + gasLimit / 63 + 1 + overhead;
        uint256 required = inCaller + inCaller / 63 + 1 + FINISH_GAS;
        if (gasleft() < required) revert NotEnoughGas(required, gasleft());
    }

    function _balance(address token) private view returns (uint256) {
        return IERC20(token).balanceOf(address(this));
    }
}
